-- Follow what a vendor's own headers say. ARGV: 3 earliest next call (us from now, 0 for none), then for each limit:
-- name, interval (us per unit, 0 to forget). Only ever slower than our own settings. Returns {ok}.
if redis.call('EXISTS', BREAKER) == 0 then return {'lost'} end
local wait = tonumber(ARGV[3])
if wait > 0 then block(now_us(), wait) end
for i = 4, #ARGV, 2 do redis.call('HSET', GATE, 'pace:' .. ARGV[i], ARGV[i + 1]) end
return {'ok'}
