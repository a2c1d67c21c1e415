-- Ask again at once, whatever a vendor or our own pace said. No own ARGV. What throttling has lasted, and so may open the
-- breaker, is kept. Returns {lifted, until (us)} | {none}.
local now = now_us()
local latest, fields = 0, {}
for _, name in ipairs(redis.call('HKEYS', GATE)) do
  local waits = name == 'blocked_until' or string.sub(name, 1, 4) == 'tat:'
  if waits then latest = math.max(latest, tonumber(redis.call('HGET', GATE, name) or '') or 0) end
  if waits or name == 'blocked_for' or name == 'throttles' or string.sub(name, 1, 5) == 'pace:' then
    fields[#fields + 1] = name
  end
end
if #fields > 0 then redis.call('HDEL', GATE, unpack(fields)) end
if latest <= now then return {'none'} end
return {'lifted', digits(latest)}
