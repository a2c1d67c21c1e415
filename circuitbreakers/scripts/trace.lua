-- What is known of one call, for whoever finds its claim abandoned. ARGV: 3 call id.
-- Returns {in_flight | settled, admitted at} | {absent, since (us; '' for always)}: whether a call from before `since` was
-- admitted cannot be told, for what was known of it may be gone.
local now = now_us()
local permit, settled = redis.call('ZSCORE', PERMITS, ARGV[3]), redis.call('ZSCORE', SETTLED, ARGV[3])
if permit then return {'in_flight', digits(tonumber(permit))} end
if settled then return {'settled', digits(tonumber(settled))} end
local gate = redis.call('HMGET', GATE, 'permits', 'settled', 'horizon')
local whole = tonumber(gate[1] or '') == redis.call('ZCARD', PERMITS)
  and tonumber(gate[2] or '') == redis.call('ZCARD', SETTLED)
-- A horizon in the future was drawn by a clock that was ahead: it took calls with it that are not old.
if (tonumber(gate[3] or '') or 0) > now then
  redis.call('HDEL', GATE, 'horizon')
  whole = false
end
if not whole then forgot(now) end
local since = math.max(tonumber(redis.call('HGET', GATE, 'forgot_at') or '0'),
  tonumber(redis.call('HGET', GATE, 'horizon') or '0'))
return {'absent', since > 0 and digits(since) or ''}
