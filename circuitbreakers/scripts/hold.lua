-- Force open until released. ARGV: 3 reason, 4 reset timeout (us).
-- From CLOSED this is an opening in every respect. Returns {opened, ...} | {held} | {lost}.
local now = now_us()
local state = redis.call('HGET', BREAKER, 'state')
if not state then return {'lost'} end
redis.call('HSET', BREAKER, 'held', '1', 'hold_reason', ARGV[3])
if state == 'closed' then return open(now, 'held: ' .. ARGV[3], 'held', 0, tonumber(ARGV[4])) end
if state == 'half_open' then transition('open', now, {}) end
return {'held'}
