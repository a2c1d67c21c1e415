-- Put a service at a stage by hand, or as PostgreSQL has it after a loss. ARGV: 3 the stage that the caller saw ('' for
-- whatever it is), 4 the stage to begin ('' keeps it), 5 held (0 | 1), 6 calls of a canary.
-- Returns {set} | {moved, stage}.
local stage = redis.call('HGET', GATE, 'stage') or '100'
if ARGV[3] ~= '' and ARGV[3] ~= stage then return {'moved', stage} end
redis.call('HSET', GATE, 'stage_held', ARGV[5], 'stage_size', ARGV[6])
if ARGV[4] ~= '' then begin_stage(GATE, ARGV[4], now_us()) end
return {'set'}
