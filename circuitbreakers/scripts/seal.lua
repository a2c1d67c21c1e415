-- Say that this server's contents have been compared with PostgreSQL. ARGV: 3 run id that the caller compared.
-- Returns {sealed} | {restarted} when it is another server by now.
if ARGV[3] ~= run_id() then return {'restarted'} end
-- What budgets have counted may be old: it is made anew from the ledger before the next call is admitted.
redis.call('DEL', BUDGETS)
redis.call('HSET', SEAL, 'run_id', ARGV[3], 'at', iso(now_us()))
return {'sealed'}
