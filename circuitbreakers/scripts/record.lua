-- Count, judge and switch in one step. ARGV: 3 call id ('' without a permit), 4 the permit's epoch ('' for now),
-- 5 outcome: success | failure | fatal | rate_limit | ignored, 6 failure type, 7 message, 8 worker, 9 threshold,
-- 10 reset timeout (us), 11 failure-rate limit (%), 12 least calls, 13 window (us), 14 retry after (us, 0 unknown),
-- 15 throttling that opens (us), 16 how many budgets, 17 what the call cost beyond what it reserved (micro-USD, mostly
-- negative), 18 the same in calls (0, or -1 if it was not sent), then the counter of each, then for each correction of a
-- token budget: name, interval (us), units, longest (us).
-- Returns {opened, ...} to exactly one caller, else {counted, failures} | {ignored} | {duplicate} | {stale} | {lost}.
local call, epoch, outcome, failure_type = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local threshold, wait_us = tonumber(ARGV[9]), tonumber(ARGV[10])
local window, retry_after = tonumber(ARGV[13]), tonumber(ARGV[14])
local now = now_us()
-- The window is a ring of twelve slots, 'slot:calls:failures' each: exact enough, and never larger.
local slot = math.floor(now / (window / 12))
-- One reading of what nearly every call needs of the gate: the script's time is mostly the number of its commands.
local gate = redis.call('HMGET', GATE, 'stage', 'stage_since', 'permits', 'settled', 'throttled_since', 'throttles',
  'slot:' .. slot % 12)
local stage, stage_since = stage_of(gate[1], gate[2])
-- Whether the call was admitted in the stage that its service is in; any other counts for the breaker only.
local staged = false

if call ~= '' then
  local admitted_at = redis.call('ZSCORE', PERMITS, call)
  if not admitted_at then return {'duplicate'} end
  staged = stage and tonumber(admitted_at) >= stage_since
  redis.call('ZREM', PERMITS, call)
  -- One that was not sent leaves nothing to remember: whoever finds a call here that no book knows, books it.
  local settled = ARGV[18] == '-1' and 0 or 1
  if settled == 1 then redis.call('ZADD', SETTLED, admitted_at, call) end
  redis.call('HSET', GATE, 'permits', digits(tonumber(gate[3] or '0') - 1),
    'settled', digits(tonumber(gate[4] or '0') + settled))
  forget_old(SETTLED, 'settled', now)
  -- A call whose end nobody could record is over by now too.
  forget_old(PERMITS, 'permits', now)
  if ARGV[16] ~= '0' then
    local fields, changes = {}, {}
    for i = 19, 18 + tonumber(ARGV[16]) do
      fields[#fields + 1] = ARGV[i] .. 'usd'
      fields[#fields + 1] = ARGV[i] .. 'claim|' .. call
    end
    local counted = redis.call('HMGET', BUDGETS, unpack(fields))
    for i = 1, #fields, 2 do
      -- A counter that was made since holds this call as a claim, whose fate the ledger will tell.
      if counted[i] and not counted[i + 1] then
        changes[#changes + 1] = fields[i]
        changes[#changes + 1] = digits(tonumber(counted[i]) + tonumber(ARGV[17]))
        if ARGV[18] ~= '0' then redis.call('HINCRBY', BUDGETS, ARGV[18 + (i + 1) / 2] .. 'calls', ARGV[18]) end
      end
    end
    if #changes > 0 then redis.call('HSET', BUDGETS, unpack(changes)) end
  end
end
local state, present, failed_before = unpack(redis.call('HMGET', BREAKER, 'state', 'epoch', 'failure_count'))
if not state then return {'lost'} end
if state ~= 'closed' or (epoch ~= '' and epoch ~= present) then
  redis.call('HINCRBY', GATE, 'late', 1)
  return {'stale'}
end

for i = 19 + tonumber(ARGV[16]), #ARGV, 4 do
  local field = 'tat:' .. ARGV[i]
  local interval = tonumber(ARGV[i + 1]) * (staged and stage > 0 and 100 / stage or 1)
  local arrival = tonumber(redis.call('HGET', GATE, field) or '0') + interval * tonumber(ARGV[i + 2])
  -- What is owed beyond a whole period the vendor's own window has forgotten by then.
  redis.call('HSET', GATE, field, digits(math.max(math.min(arrival, now + tonumber(ARGV[i + 3])), 0)))
end
if outcome == 'ignored' then return {'ignored'} end

if outcome == 'rate_limit' then
  local before = blocked_until(now)
  -- A minute in which it could have been asked and did not complain is no throttling without a break.
  if before > 0 and now - before > 60000000 then redis.call('HDEL', GATE, 'throttled_since', 'throttles') end
  -- Without a Retry-After: 2, 4, 8 ... at most 60 seconds, a step for each block and not for each call that was out
  -- when it began. The later of two instants wins.
  local throttles = tonumber(redis.call('HGET', GATE, 'throttles') or '0')
  if throttles == 0 or now >= before then throttles = redis.call('HINCRBY', GATE, 'throttles', 1) end
  if retry_after == 0 then retry_after = math.min(1000000 * 2 ^ throttles, 60000000) end
  block(now, retry_after)
  redis.call('HSETNX', GATE, 'throttled_since', digits(now))
  if now - tonumber(redis.call('HGET', GATE, 'throttled_since')) < tonumber(ARGV[15]) then
    return {'counted', tonumber(redis.call('HGET', BREAKER, 'failure_count') or '0')}
  end
end

local function tally(text)
  local at, calls, failures = string.match(text or '', '^(%d+):(%d+):(%d+)$')
  if not at or tonumber(at) <= slot - 12 or tonumber(at) > slot then return 0, 0, 0 end
  return tonumber(calls), tonumber(failures), tonumber(at)
end
local function count(failed)
  local calls, failures, at = tally(gate[7])
  if at ~= slot then calls, failures = 0, 0 end
  redis.call('HSET', GATE, 'slot:' .. slot % 12, digits(slot) .. ':' .. calls + 1 .. ':' .. failures + failed)
end

local staged_calls, staged_failed = 0, 0
if staged and outcome ~= 'rate_limit' then
  staged_calls = redis.call('HINCRBY', GATE, 'stage_calls', 1)
  staged_failed = redis.call('HINCRBY', GATE, 'stage_failed', outcome == 'success' and 0 or 1)
end
if outcome == 'success' then
  count(0)
  if failed_before ~= '0' then redis.call('HSET', BREAKER, 'failure_count', 0) end
  if gate[5] or gate[6] then redis.call('HDEL', GATE, 'throttled_since', 'throttles') end
  if staged and stage == 0 and canary_ends(staged_calls, 0) then begin_stage(GATE, 10, now) end
  return {'counted', 0}
end

count(1)
local failures = redis.call('HINCRBY', BREAKER, 'failure_count', 1)
redis.call('HSET', BREAKER, 'last_failure_time', iso(now), 'last_failure_type', failure_type, 'last_error', ARGV[7])
redis.call('LPUSH', FAILURES, cjson.encode(
  {at = iso(now), failure_type = failure_type, error = ARGV[7], worker = ARGV[8], call = call}))
redis.call('LTRIM', FAILURES, 0, EVIDENCE - 1)

-- A vendor's Retry-After may only make the wait longer.
wait_us = math.max(wait_us, retry_after)
if outcome == 'fatal' then return open(now, failure_type, failure_type, failures, wait_us) end
if outcome == 'rate_limit' then return open(now, 'throttled without one success', failure_type, failures, wait_us) end
if staged and stage == 0 and staged_failed > 1 then
  return open(now, staged_failed .. ' of ' .. staged_calls .. ' canary calls failed', failure_type, failures, wait_us)
end
-- Whatever the policy says: three in a row stop a ramp.
if stage then threshold = math.min(threshold, 3) end
if failures >= threshold then
  return open(now, failures .. ' consecutive failures', failure_type, failures, wait_us)
end
local calls, failed = 0, 0
for i = 0, 11 do
  local c, f = tally(redis.call('HGET', GATE, 'slot:' .. i))
  calls, failed = calls + c, failed + f
end
if calls >= tonumber(ARGV[12]) and failed * 100 >= calls * tonumber(ARGV[11]) then
  return open(now, failed .. ' of ' .. calls .. ' calls failed', failure_type, failed, wait_us)
end
if staged and stage == 0 and canary_ends(staged_calls, 0) then begin_stage(GATE, 10, now) end
return {'counted', failures}
