-- Take a ramp one step on if its time, its calls and their failures allow it; open the breaker if its canary has failed.
-- Looks and moves at once: two supervisors may run it. ARGV: 3 shortest time at a step (us), 4 least calls of a step (0: no
-- steps, full speed after the canary),
-- 5 when a call is overdue (us since its admission), 6 reset timeout (us).
-- Returns {opened, ...} | {moved, stage} | {kept}.
local now = now_us()
local stage, since = stage_of()
if not stage or redis.call('HGET', STATUS, SERVICE) ~= 'ACTIVE' then return {'kept'} end
local calls, failed, held = unpack(redis.call('HMGET', GATE, 'stage_calls', 'stage_failed', 'stage_held'))
calls, failed = tonumber(calls or '') or 0, tonumber(failed or '') or 0
if stage == 0 then
  -- A call that has not ended by its deadline has failed, as far as a canary goes. It is only looked at: its worker, or
  -- whoever reclaims its job, will still say how it ended.
  local overdue = redis.call('ZCOUNT', PERMITS, digits(since), digits(now - tonumber(ARGV[5])))
  if failed + overdue > 1 then
    local reason = failed + overdue .. ' of ' .. calls + overdue .. ' canary calls failed'
    return open(now, reason, 'timeout', failed + overdue, tonumber(ARGV[6]))
  end
  if canary_ends(calls, overdue) then return {'moved', begin_stage(GATE, NEXT_STAGE[0], now)} end
  return {'kept'}
end
if held == '1' then return {'kept'} end
if ARGV[4] == '0' then return {'moved', begin_stage(GATE, 100, now)} end
if now - since < tonumber(ARGV[3]) or calls < tonumber(ARGV[4]) then return {'kept'} end
if failed * 10 < calls then return {'moved', begin_stage(GATE, NEXT_STAGE[stage], now)} end
-- Too many failed: the next calls are counted anew.
redis.call('HSET', GATE, 'stage_calls', 0, 'stage_failed', 0)
return {'kept'}
