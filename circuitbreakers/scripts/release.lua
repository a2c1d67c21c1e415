-- End a hold; the breaker stays OPEN, to be reset. No own ARGV. Returns {released} | {not_held} | {lost}.
local state, held = unpack(redis.call('HMGET', BREAKER, 'state', 'held'))
if not state then return {'lost'} end
if held ~= '1' then return {'not_held'} end
redis.call('HSET', BREAKER, 'held', '', 'hold_reason', '')
return {'released'}
