-- Follow what a vendor's own headers say. ARGV: 3 earliest next call (us from now, 0 for none), then for each limit:
-- name, interval (us per unit, 0 to forget). Only ever slower than our own settings. Returns {ok}.
if redis.call('EXISTS', BREAKER) == 0 then return {'lost'} end
local wait = tonumber(ARGV[3])
if wait > 0 then
  local now = now_us()
  local blocked = math.max(tonumber(redis.call('HGET', GATE, 'blocked_until') or '0'), now + wait)
  redis.call('HSET', GATE, 'blocked_until', digits(blocked))
end
for i = 4, #ARGV, 2 do redis.call('HSET', GATE, 'pace:' .. ARGV[i], ARGV[i + 1]) end
return {'ok'}
