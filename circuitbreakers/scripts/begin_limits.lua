-- Limits of other windows than before begin as if their burst had just been used: an edit gives nobody a second burst.
-- ARGV: for each, name and how far ahead its next arrival then lies (us). Returns {ok}.
local now = now_us()
for i = 3, #ARGV, 2 do
  local field = 'tat:' .. ARGV[i]
  local arrival = tonumber(redis.call('HGET', GATE, field) or '') or 0
  redis.call('HSET', GATE, field, digits(math.max(arrival, now + tonumber(ARGV[i + 1]))))
end
return {'ok'}
