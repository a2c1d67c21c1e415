-- Make a budget's counter from what the ledger says. ARGV: 3 counter, 4 calls, 5 micro-USD, 6 when the server was sealed that
-- the caller asked, then for each claim of unknown fate, counted in both: call id, micro-USD.
-- Returns {made} | {kept}: another has made it | {resealed}: what the caller read may be too old.
if redis.call('HGET', SEAL, 'at') ~= ARGV[6] then return {'resealed'} end
if redis.call('HEXISTS', BUDGETS, ARGV[3] .. 'calls') == 1 and redis.call('HEXISTS', BUDGETS, ARGV[3] .. 'usd') == 1 then
  return {'kept'}
end
redis.call('HSET', BUDGETS, ARGV[3] .. 'calls', ARGV[4], ARGV[3] .. 'usd', ARGV[5])
for i = 7, #ARGV, 2 do redis.call('HSET', BUDGETS, ARGV[3] .. 'claim|' .. ARGV[i], ARGV[i + 1]) end
return {'made'}
