-- Say that this server's contents have been compared with PostgreSQL. ARGV: 3 run id that the caller compared.
-- Returns {sealed} | {restarted} when it is another server by now.
if ARGV[3] ~= run_id() then return {'restarted'} end
redis.call('HSET', SEAL, 'run_id', ARGV[3], 'at', iso(now_us()))
return {'sealed'}
