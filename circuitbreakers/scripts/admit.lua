-- The gate. ARGV: 3 call id, then for each limit: name, interval (us per unit), tolerance (us), cost (units).
-- Returns {admitted, epoch, at} | {paused} | {open} | {lost} | {rate, until}.
-- It writes before it says yes, so it fails wherever `record` would fail: full memory, a read-only replica.
local state, epoch = unpack(redis.call('HMGET', BREAKER, 'state', 'epoch'))
local status = redis.call('HGET', STATUS, SERVICE)
if not state or not epoch or not status or not sealed() then return {'lost'} end
if state ~= 'closed' then return {'open'} end
if status ~= 'ACTIVE' then return {'paused'} end

local now = now_us()
local clear_at = tonumber(redis.call('HGET', GATE, 'blocked_until') or '0')
local arrivals = {}
-- GCRA: each limit remembers the theoretical arrival time of the next call. A vendor may have told us a slower pace.
for i = 4, #ARGV, 4 do
  local name, tolerance, cost = ARGV[i], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local interval = math.max(tonumber(ARGV[i + 1]), tonumber(redis.call('HGET', GATE, 'pace:' .. name) or '0'))
  local arrival = math.max(tonumber(redis.call('HGET', GATE, 'tat:' .. name) or '0'), now)
  -- The whole cost must fit, or nothing else be owed: a cost above the burst would never fit.
  clear_at = math.max(clear_at, arrival - math.max(tolerance - interval * (cost - 1), 0))
  arrivals[#arrivals + 1] = 'tat:' .. name
  arrivals[#arrivals + 1] = digits(arrival + interval * cost)
end
if clear_at > now then return {'rate', digits(clear_at)} end

redis.call('HINCRBY', GATE, 'admitted', 1)
if #arrivals > 0 then redis.call('HSET', GATE, unpack(arrivals)) end
redis.call('ZADD', PERMITS, digits(now), ARGV[3])
return {'admitted', epoch, digits(now)}
