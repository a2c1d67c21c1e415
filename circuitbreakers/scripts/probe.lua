-- The end of a probe. ARGV: 3 lease token, 4 ok (0 | 1), 5 detail, 6 what it proves, 7 reset timeout (us), 8 ceiling (us).
-- A failure in half-open goes back to OPEN and waits twice as long: the same opening, no second cascade.
-- It never closes. Returns {kept} | {reopened, open until} | {stale}.
local now = now_us()
if redis.call('GET', PROBE) ~= ARGV[3] then return {'stale'} end
redis.call('DEL', PROBE)
local state, held, attempts = unpack(redis.call('HMGET', BREAKER, 'state', 'held', 'half_open_attempts'))
if not state then return {'stale'} end
redis.call('HSET', BREAKER, 'last_probe_at', iso(now), 'last_probe_ok', ARGV[4], 'last_probe_detail', ARGV[5],
  'last_probe_proves', ARGV[6])
if state ~= 'half_open' or ARGV[4] == '1' then return {'kept'} end
attempts = tonumber(attempts or '0') + 1
local wait = math.min(tonumber(ARGV[7]) * 2 ^ attempts, math.max(tonumber(ARGV[8]), tonumber(ARGV[7])))
transition('open', now, {'open_until', iso(now + wait), 'open_until_us', digits(now + wait),
  'half_open_attempts', attempts})
return {'reopened', iso(now + wait)}
