-- Lift one pause (or none) and derive the queue status: the only writer of ACTIVE.
-- ARGV: 3 the pause to lift ('' for none), 4-8 the epochs that the caller saw at its check ('' for any), 9 what becomes of
-- ramps: keep | begin, 10 calls of a canary (0: none, it begins with the first step), then the services that begin; any
-- other is at full speed then.
-- The system pause goes only when all five breakers are closed at just those epochs.
-- Returns {active, service...} (those ACTIVE now) | {moved, service} | {not_closed, service} | {lost, service}.
for i, name in ipairs(SERVICES) do
  local state, epoch = unpack(redis.call('HMGET', KEYS[9 + i], 'state', 'epoch'))
  if not state then return {'lost', name} end
  if ARGV[3 + i] ~= '' and ARGV[3 + i] ~= epoch then return {'moved', name} end
  if state ~= 'closed' and ARGV[3] == 'system' then return {'not_closed', name} end
end
if ARGV[3] ~= '' then redis.call('HDEL', PAUSES, ARGV[3]) end

local everything = redis.call('HEXISTS', PAUSES, 'system') + redis.call('HEXISTS', PAUSES, 'operator:all') > 0
for i = 1, #SERVICES do
  -- A breaker that is not closed pauses everything even if its pause was lost.
  if redis.call('HGET', KEYS[9 + i], 'state') ~= 'closed' then everything = true end
end
if ARGV[9] == 'begin' then
  local now = now_us()
  -- Of each service, so not among KEYS: the same names as there.
  for _, name in ipairs(SERVICES) do
    redis.call('HDEL', 'circuit_gate:' .. name, 'stage', 'stage_held', 'ramp_calls')
  end
  for i = 11, #ARGV do
    redis.call('HSET', 'circuit_gate:' .. ARGV[i], 'stage_size', ARGV[10])
    begin_stage('circuit_gate:' .. ARGV[i], ARGV[10] == '0' and 10 or 0, now)
  end
end
local result = {'active'}
for _, name in ipairs(SERVICES) do
  local paused = everything or redis.call('HEXISTS', PAUSES, 'operator:' .. name) == 1
  redis.call('HSET', STATUS, name, paused and 'PAUSED' or 'ACTIVE')
  if not paused then result[#result + 1] = name end
end
return result
