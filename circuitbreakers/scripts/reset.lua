-- OPEN | HALF_OPEN -> CLOSED. ARGV: 3 actor, 4 epoch of the opening that the caller probed and has on record (0: saw it
-- closed). Touches neither the queue nor its pauses.
-- Returns {reset, epoch of the opening} | {closed} when it was closed already | {moved} | {held} | {lost}.
local state, held, opening = unpack(redis.call('HMGET', BREAKER, 'state', 'held', 'opening_epoch'))
if not state then return {'lost'} end
if held == '1' then return {'held'} end
if state == 'closed' then
  redis.call('HSET', BREAKER, 'failure_count', 0, 'last_failure_time', '')
  return {'closed'}
end
if digits(tonumber(opening or '') or 0) ~= ARGV[4] then return {'moved'} end
transition('closed', now_us(), {
  'failure_count', 0, 'last_failure_time', '', 'last_failure_type', '', 'last_error', '', 'half_open_attempts', 0,
  'opened_at', '', 'open_until', '', 'open_until_us', '', 'reason', '', 'failure_type', '', 'failures', 0,
  'reset_of', opening or '', 'reset_by', ARGV[3]})
redis.call('DEL', FAILURES)
for i = 0, 11 do redis.call('HDEL', GATE, 'slot:' .. i) end
redis.call('HDEL', GATE, 'throttled_since', 'throttles')
return {'reset', opening or ''}
