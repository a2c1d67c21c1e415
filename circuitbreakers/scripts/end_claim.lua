-- The ledger tells the fate of a claim that a budget's counter holds. ARGV: 3 counter, 4 call id, 5 calls that it came to (0, 1),
-- 6 micro-USD. Returns {ended} | {none}: it asked the gate itself meanwhile, or another was quicker.
local claim = redis.call('HGET', BUDGETS, ARGV[3] .. 'claim|' .. ARGV[4])
if not claim then return {'none'} end
redis.call('HDEL', BUDGETS, ARGV[3] .. 'claim|' .. ARGV[4])
redis.call('HINCRBY', BUDGETS, ARGV[3] .. 'calls', tonumber(ARGV[5]) - 1)
redis.call('HINCRBY', BUDGETS, ARGV[3] .. 'usd', digits(tonumber(ARGV[6]) - tonumber(claim)))
return {'ended'}
