-- Make a lost or rolled-back breaker agree with PostgreSQL. It creates what is missing and never closes anything.
-- ARGV: 3 wanted state: closed | open, 4 epoch of the opening ('' for a new opening), 5 opened at, 6 reason, 7 failure type,
-- 8 held (0 | 1), 9 hold reason, 10 reset timeout (us), 11 the stage of a ramp that an opening stops ('' for none).
-- Returns {kept} | {created, epoch} | {reopened, epoch}.
local now, wanted, wait_us = now_us(), ARGV[3], tonumber(ARGV[10])
local state, epoch, opening = unpack(redis.call('HMGET', BREAKER, 'state', 'epoch', 'opening_epoch'))
if state == 'closed' and not epoch then state = false end -- typed by hand: no permit would belong to it
if state and wanted == 'closed' then return {'kept'} end
-- An opening older than the one in PostgreSQL is an old copy: resetting it would not reset the incident.
local current = ARGV[4] ~= '' and (tonumber(opening or '') or 0) >= tonumber(ARGV[4])
if state and state ~= 'closed' and current then return {'kept'} end
local verb = state and 'reopened' or 'created'
if not state then
  redis.call('HSETNX', GATE, 'remembers', 1)
  redis.call('HSETNX', GATE, 'permits', 0)
  redis.call('HSETNX', GATE, 'settled', 0)
  redis.call('HSET', BREAKER, 'failure_count', 0, 'last_failure_time', '', 'last_failure_type', '', 'last_error', '',
    'half_open_attempts', 0, 'opened_at', '', 'open_until', '', 'reason', '', 'reset_of', '')
end
if wanted == 'closed' then return {verb, transition('closed', now, {})} end
local epoch = transition('open', now, {
  'opened_at', ARGV[5] ~= '' and ARGV[5] or iso(now), 'open_until', iso(now + wait_us),
  'open_until_us', digits(now + wait_us), 'reason', ARGV[6], 'failure_type', ARGV[7], 'reset_of', '',
  'half_open_attempts', 0, 'held', ARGV[8] == '1' and '1' or '', 'hold_reason', ARGV[9]})
redis.call('HSET', BREAKER, 'opening_epoch', ARGV[4] ~= '' and ARGV[4] or epoch)
stop_ramp(ARGV[11], 0)
pause_all(now, SERVICE)
return {verb, epoch}
