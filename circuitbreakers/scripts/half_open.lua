-- OPEN -> HALF_OPEN when the wait is over and nobody holds it. No own ARGV. Returns {half_opened, epoch} | {kept}.
local now = now_us()
local state, until_us, held = unpack(redis.call('HMGET', BREAKER, 'state', 'open_until_us', 'held'))
if state ~= 'open' or held == '1' or now < (tonumber(until_us or '') or 0) then return {'kept'} end
return {'half_opened', transition('half_open', now, {})}
