-- Let one real call through the system's pause. ARGV: 3 its id, 4 for how long (us).
-- Returns {granted} | {not_closed} | {not_alone}: the system's pause does not stand, or one of an operator's does too
-- | {lost}.
local state = redis.call('HGET', BREAKER, 'state')
if not state or not sealed() then return {'lost'} end
if state ~= 'closed' then return {'not_closed'} end
if not only_the_system_pauses() then return {'not_alone'} end
redis.call('HSET', GATE, 'try_call', ARGV[3], 'try_until', digits(now_us() + tonumber(ARGV[4])))
return {'granted'}
