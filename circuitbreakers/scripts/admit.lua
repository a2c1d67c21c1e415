-- The gate. ARGV: 3 call id, then for each limit: name, interval (us per unit), tolerance (us), cost (units), longest (us that
-- its next arrival can lie ahead).
-- Returns {admitted, epoch, at} | {seen, admitted at} | {paused} | {open} | {lost} | {rate, until, us from now}.
-- It writes before it says yes, so it fails wherever `record` would fail: full memory, a read-only replica.
local state, epoch = unpack(redis.call('HMGET', BREAKER, 'state', 'epoch'))
local status = redis.call('HGET', STATUS, SERVICE)
if not state or not epoch or not status or not sealed() then return {'lost'} end
-- A claim's number that comes twice: PostgreSQL has lost the first (a standby that lacked the last second).
local before = redis.call('ZSCORE', PERMITS, ARGV[3]) or redis.call('ZSCORE', SETTLED, ARGV[3])
if before then return {'seen', digits(tonumber(before))} end
if state ~= 'closed' then return {'open'} end
if status ~= 'ACTIVE' then return {'paused'} end

local now = now_us()
local clear_at = blocked_until(now)
local arrivals = {}
-- GCRA: each limit remembers the theoretical arrival time of the next call. A vendor may have told us a slower pace.
for i = 4, #ARGV, 5 do
  local name, own, tolerance, cost = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local interval = math.max(own, tonumber(redis.call('HGET', GATE, 'pace:' .. name) or '0'))
  local arrival = math.max(tonumber(redis.call('HGET', GATE, 'tat:' .. name) or '0'), now)
  local latest = now + tonumber(ARGV[i + 4]) * math.max(interval / math.max(own, 1), 1)
  if arrival > latest then
    -- No admission can have put it there: a clock was ahead. Written, or it would be as far off at the next look.
    arrival = latest
    redis.call('HSET', GATE, 'tat:' .. name, digits(arrival))
  end
  -- The whole cost must fit, or nothing else be owed: a cost above the burst would never fit.
  clear_at = math.max(clear_at, arrival - math.max(tolerance - interval * (cost - 1), 0))
  arrivals[#arrivals + 1] = 'tat:' .. name
  arrivals[#arrivals + 1] = digits(arrival + interval * cost)
end
if clear_at > now then return {'rate', digits(clear_at), digits(clear_at - now)} end

if #arrivals > 0 then redis.call('HSET', GATE, unpack(arrivals)) end
redis.call('ZADD', PERMITS, digits(now), ARGV[3])
if redis.call('HEXISTS', GATE, 'remembers') == 1 then
  redis.call('HINCRBY', GATE, 'permits', 1)
else
  forgot(now)
end
return {'admitted', epoch, digits(now)}
