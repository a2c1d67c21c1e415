-- The gate. ARGV: 3 call id, 4 how many budgets, 5 what the call may cost at most (micro-USD), then for each budget: name,
-- period, calls, micro-USD ('' for no limit), then for each rate limit: name, interval (us per unit), tolerance (us), cost
-- (units), longest (us that its next arrival can lie ahead).
-- Returns {admitted, epoch, at} | {seen, admitted at} | {paused} | {open} | {lost} | {rate, until, us from now}
-- | {ramp}: the canary's calls are all out or have ended
-- | {budget, at, which} (counted from 1: it has no room) | {unbudgeted, at, sealed at, which ...} (they have no counters).
-- It writes before it says yes, so it fails wherever `record` would fail: full memory, a read-only replica.
local state, epoch = unpack(redis.call('HMGET', BREAKER, 'state', 'epoch'))
local status = redis.call('HGET', STATUS, SERVICE)
if not state or not epoch or not status or not sealed() then return {'lost'} end
-- A claim's number that comes twice: PostgreSQL has lost the first (a standby that lacked the last second).
local before = redis.call('ZSCORE', PERMITS, ARGV[3]) or redis.call('ZSCORE', SETTLED, ARGV[3])
if before then return {'seen', digits(tonumber(before))} end
if state ~= 'closed' then return {'open'} end
-- One real call that an operator lets through the system's pause, never through one of an operator's.
local tries = false
if status ~= 'ACTIVE' then
  local call, until_us = unpack(redis.call('HMGET', GATE, 'try_call', 'try_until'))
  tries = call == ARGV[3] and now_us() < (tonumber(until_us or '') or 0) and only_the_system_pauses()
  if not tries then return {'paused'} end
end
-- One reading of all that is asked of the gate below: the script's time is mostly the number of its commands.
local first_limit = 6 + 4 * tonumber(ARGV[4])
local asked = {'stage', 'stage_since', 'blocked_until', 'blocked_for', 'remembers', 'permits'}
local before_limits = #asked
for i = first_limit, #ARGV, 5 do
  asked[#asked + 1] = 'pace:' .. ARGV[i]
  asked[#asked + 1] = 'tat:' .. ARGV[i]
end
local gate = redis.call('HMGET', GATE, unpack(asked))
local stage, stage_since = stage_of(gate[1], gate[2])
if stage == 0 then
  local size, calls = unpack(redis.call('HMGET', GATE, 'stage_size', 'stage_calls'))
  local out = redis.call('ZCOUNT', PERMITS, digits(stage_since), '+inf')
  if (tonumber(calls or '') or 0) + out >= (tonumber(size or '') or 0) then return {'ramp'} end
end
-- A ramp goes at its share of the pace; what may come at once, a span of time, so shrinks as well.
local stretch = stage and stage > 0 and 100 / stage or 1

local now = now_us()
-- All budgets are asked before any is charged, in the same step as the rate limits.
local charges, resolved = {}, {}
if first_limit > 6 then
  local most, fields, today = tonumber(ARGV[5]), {}, iso(now)
  for i = 6, first_limit - 1, 4 do
    local counter = counter_of(ARGV[i], ARGV[i + 1], today)
    fields[#fields + 1] = counter .. 'calls'
    fields[#fields + 1] = counter .. 'usd'
    fields[#fields + 1] = counter .. 'claim|' .. ARGV[3]
  end
  local counted = redis.call('HMGET', BUDGETS, unpack(fields))
  local absent = {'unbudgeted', digits(now), redis.call('HGET', SEAL, 'at')}
  for i = 1, #fields, 3 do
    local calls, usd = tonumber(counted[i] or ''), tonumber(counted[i + 1] or '')
    if not calls or not usd then
      absent[#absent + 1] = (i + 2) / 3
    else
      -- The counters were made while this very claim waited: then it is in them already.
      if counted[i + 2] then
        calls, usd = calls - 1, usd - tonumber(counted[i + 2])
        resolved[#resolved + 1] = fields[i + 2]
      end
      local limits = 6 + (i - 1) / 3 * 4 + 2
      local most_calls, most_usd = tonumber(ARGV[limits]), tonumber(ARGV[limits + 1])
      if #absent == 3 and ((most_calls and calls + 1 > most_calls) or (most_usd and usd + most > most_usd)) then
        return {'budget', digits(now), (i + 2) / 3}
      end
      for _, value in ipairs({fields[i], digits(calls + 1), fields[i + 1], digits(usd + most)}) do
        charges[#charges + 1] = value
      end
    end
  end
  if #absent > 3 then return absent end
end

local clear_at = blocked_until(now, gate[3], gate[4])
local changes = {}
-- GCRA: each limit remembers the theoretical arrival time of the next call. A vendor may have told us a slower pace.
for i = first_limit, #ARGV, 5 do
  local own, tolerance, cost = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local place = before_limits + (i - first_limit) / 5 * 2
  local pace, tat, field = gate[place + 1], gate[place + 2], asked[place + 2]
  local interval = math.ceil(math.max(own, tonumber(pace or '0')) * stretch)
  local arrival = math.max(tonumber(tat or '0'), now)
  local latest = now + tonumber(ARGV[i + 4]) * math.max(interval / math.max(own, 1), 1)
  if arrival > latest then
    -- No admission can have put it there: a clock was ahead. Written, or it would be as far off at the next look.
    arrival = latest
    redis.call('HSET', GATE, field, digits(arrival))
  end
  -- The whole cost must fit, or nothing else be owed: a cost above the burst would never fit.
  clear_at = math.max(clear_at, arrival - math.max(tolerance - interval * (cost - 1), 0))
  changes[#changes + 1] = field
  changes[#changes + 1] = digits(arrival + interval * cost)
end
if clear_at > now then return {'rate', digits(clear_at), digits(clear_at - now)} end

if #charges > 0 then redis.call('HSET', BUDGETS, unpack(charges)) end
if #resolved > 0 then redis.call('HDEL', BUDGETS, unpack(resolved)) end
if stage then redis.call('HINCRBY', GATE, 'ramp_calls', 1) end
if tries then redis.call('HDEL', GATE, 'try_call', 'try_until') end
redis.call('ZADD', PERMITS, digits(now), ARGV[3])
if gate[5] then
  changes[#changes + 1] = 'permits'
  changes[#changes + 1] = digits((tonumber(gate[6] or '0')) + 1)
else
  forgot(now)
end
if #changes > 0 then redis.call('HSET', GATE, unpack(changes)) end
return {'admitted', epoch, digits(now)}
