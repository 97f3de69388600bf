-- Extend the lease and write progress. ARGV: id nonce lease_ms phase progress
local held = holding(ARGV[1], ARGV[2])
if held ~= 'held' then return held end
local key = job_key(ARGV[1])
local before = redis.call('HMGET', key, 'phase', 'progress')
redis.call('ZADD', 'parley:leases', int(now + ARGV[3]), ARGV[1])
if before[1] ~= ARGV[4] or before[2] ~= ARGV[5] then
  redis.call('HSET', key, 'phase', ARGV[4], 'progress', ARGV[5])
  changed(ARGV[1])
end
return held
