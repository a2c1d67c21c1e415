-- Add a pause that stands in PostgreSQL. ARGV: 3 its key, 4 JSON. Writes only PAUSED. Returns {paused}.
redis.call('HSETNX', PAUSES, ARGV[3], ARGV[4])
local only = string.match(ARGV[3], '^operator:(%w+)$')
if only == 'all' then only = nil end
for _, name in ipairs(SERVICES) do
  if not only or only == name then redis.call('HSET', STATUS, name, 'PAUSED') end
end
return {'paused'}
