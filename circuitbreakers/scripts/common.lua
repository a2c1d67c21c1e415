-- Every script begins with this text. KEYS, the same for all:
--   1 circuit_breaker:{service}   hash    state of the breaker
--   2 queue_status                hash    service -> ACTIVE | PAUSED, derived from 3
--   3 queue_pauses                hash    system, operator:all, operator:{service} -> JSON
--   4 circuit_permits:{service}   zset    call id -> admitted at (us): calls in flight
--   5 circuit_settled:{service}   zset    call id -> admitted at (us): answers that may not be booked yet
--   6 circuit_gate:{service}      hash    rate limits, throttling, failure-rate window, how many calls 4 and 5 hold, and the
--                                         stage of a ramp: stage (0 canary | 10 | 25 | 50 per cent; absent or 100: full),
--                                         stage_since (us), stage_calls and stage_failed (settled, of those admitted since),
--                                         stage_size (calls of the canary), stage_held (1), ramp_calls (admitted in all);
--                                         try_call (the one call that the system pause lets through), try_until (us)
--   7 circuit_failures:{service}  list    the last failures as JSON, newest first
--   8 switch_seal                 hash    run_id of the server whose contents were compared with PostgreSQL, at
--   9 circuit_probe:{service}     string  lease of the probe that is running
--   10-14 circuit_breaker:*       the five breakers, in the order of ARGV[1]
--   15 circuit_budgets            hash    {scope}|{row}|{start}|, a budget in a period, with calls, usd (micro-USD spent and
--                                         reserved) and claim|{call} (of that, what a claim of unknown fate stands for)
-- ARGV: 1 the services, comma-separated, 2 the service, then the script's own.
local BREAKER, STATUS, PAUSES, PERMITS, SETTLED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local GATE, FAILURES, SEAL, PROBE, BUDGETS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[15]
local SERVICE = ARGV[2]
local SERVICES = {}
for name in string.gmatch(ARGV[1], '[^,]+') do SERVICES[#SERVICES + 1] = name end
local EVIDENCE = 20
local MEMORY = 900000000 -- us that calls are remembered; no deadline is that long (PERMIT_LIFE in switch.py)

-- Numbers of 16 digits: Lua would concatenate them as 1.79e+15.
local function digits(number) return string.format('%.0f', number) end

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- ISO 8601 UTC with microseconds; days to date after Howard Hinnant's civil_from_days.
local function iso(us)
  local seconds, micros = math.floor(us / 1000000), us % 1000000
  local z, rest = math.floor(seconds / 86400) + 719468, seconds % 86400
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day, month = doy - math.floor((153 * mp + 2) / 5) + 1, mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, micros)
end

-- The counter of a budget for the period that `today` (ISO 8601, by this server's clock) lies in (KnownBudget.counter).
local function counter_of(name, period, today)
  local start = period == 'total' and period or string.sub(today, 1, period == 'day' and 10 or 7)
  return name .. '|' .. start .. '|'
end

-- A server that restarted or failed over may have lost the last writes: until the supervisor has compared it with
-- PostgreSQL and sealed it under its new run id, nothing is admitted.
local function run_id()
  local server = redis.call('INFO', 'server')
  local _, colon = string.find(server, 'run_id:', 1, true)
  return string.match(server, '^%w+', colon + 1)
end
local function sealed() return redis.call('HGET', SEAL, 'run_id') == run_id() end

-- How many calls `permits` and `settled` must hold. Whatever takes some of them away behind the scripts' back (an
-- eviction, a DEL) leaves these numbers wrong: then nothing can be said of calls from before `forgot_at`.
local function forgot(now)
  redis.call('HSET', GATE, 'forgot_at', digits(now), 'remembers', 1,
    'permits', redis.call('ZCARD', PERMITS), 'settled', redis.call('ZCARD', SETTLED))
end

-- Drop what is too old to matter. A clock that was ahead drops too much: `horizon` says what is gone.
local function forget_old(key, counter, now)
  local dropped = redis.call('ZREMRANGEBYSCORE', key, '-inf', digits(now - MEMORY))
  if dropped == 0 then return end
  redis.call('HINCRBY', GATE, counter, -dropped)
  redis.call('HSET', GATE, 'horizon', digits(now - MEMORY))
end

-- The instant (us) until which a vendor, or the backoff after its 429, keeps everybody away; 0 for none. Never further off
-- than it was when it was set: one that a clock wrote which was ahead is put right.
-- `at` and `wait` as they are stored, from a caller that has read them together with other fields.
local function blocked_until(now, at, wait)
  if at == nil then at, wait = unpack(redis.call('HMGET', GATE, 'blocked_until', 'blocked_for')) end
  at, wait = tonumber(at or '') or 0, tonumber(wait or '') or 86400000000
  if at - now <= wait then return at end
  redis.call('HSET', GATE, 'blocked_until', digits(now + wait))
  return now + wait
end

local function block(now, wait)
  if now + wait <= blocked_until(now) then return end
  redis.call('HSET', GATE, 'blocked_until', digits(now + wait), 'blocked_for', digits(wait))
end

-- The stage that this service is in, as a number, and since when (us); nil at full speed. Given both as they are stored, it
-- reads nothing.
local function stage_of(stage, since)
  if stage == nil then stage, since = unpack(redis.call('HMGET', GATE, 'stage', 'stage_since')) end
  stage, since = tonumber(stage or ''), tonumber(since or '')
  if stage and since and stage < 100 then return stage, since end
end

-- Begin a stage of a service: calls admitted before `now` do not count in it.
local function begin_stage(gate, stage, now)
  redis.call('HSET', gate, 'stage', stage, 'stage_since', digits(now), 'stage_calls', 0, 'stage_failed', 0)
  return stage
end
local NEXT_STAGE = {[0] = 10, [10] = 25, [25] = 50, [50] = 100}

-- The canary is over when all its calls have ended, at most one of them by a failure. `overdue`: those that should have.
local function canary_ends(calls, overdue)
  return redis.call('HGET', GATE, 'stage_held') ~= '1'
    and calls + overdue >= tonumber(redis.call('HGET', GATE, 'stage_size') or '0')
end

-- The one place where a state changes. Returns the new epoch.
local function transition(state, now, fields)
  local epoch = digits(math.max(tonumber(redis.call('HGET', BREAKER, 'epoch') or '0') + 1, now))
  redis.call('HSET', BREAKER, 'state', state, 'epoch', epoch, unpack(fields))
  return epoch
end

local function pause_all(now, cause)
  redis.call('HSETNX', PAUSES, 'system', cjson.encode({at = iso(now), cause = cause}))
  for _, name in ipairs(SERVICES) do redis.call('HSET', STATUS, name, 'PAUSED') end
end

-- An opening ends its service's ramp, and says which stage that was ('' for none) after how many calls.
local function stop_ramp(stage, calls)
  redis.call('HDEL', GATE, 'stage', 'stage_since', 'stage_calls', 'stage_failed', 'stage_size', 'stage_held', 'ramp_calls')
  redis.call('HSET', BREAKER, 'stopped_stage', stage, 'stopped_calls', calls)
end

-- Whether the system's own pause stands, and none of an operator's that concerns this service.
local function only_the_system_pauses()
  return redis.call('HEXISTS', PAUSES, 'system') == 1 and redis.call('HEXISTS', PAUSES, 'operator:all') == 0
    and redis.call('HEXISTS', PAUSES, 'operator:' .. SERVICE) == 0
end

-- CLOSED -> OPEN and the pause of everything, in one step: a ramp stops with it. Returns what the announcement needs.
local function open(now, reason, failure_type, failures, wait_us)
  local opened_at = iso(now)
  local epoch = transition('open', now, {
    'opened_at', opened_at, 'open_until', iso(now + wait_us), 'open_until_us', digits(now + wait_us),
    'reason', reason, 'half_open_attempts', 0, 'reset_of', '', 'failure_type', failure_type,
    'failures', failures})
  redis.call('HSET', BREAKER, 'opening_epoch', epoch)
  local stage, calls = stage_of() or '', redis.call('HGET', GATE, 'ramp_calls') or 0
  stop_ramp(stage, calls)
  pause_all(now, SERVICE)
  return {'opened', epoch, opened_at, failures, reason, failure_type, redis.call('LRANGE', FAILURES, 0, -1), stage, calls}
end
