-- Extend the lease and write progress, which never shrinks during an attempt.
-- ARGV: id nonce lease_ms phase progress
local held = holding(ARGV[1], ARGV[2])
if held ~= 'held' then return held end
local key, progress = job_key(ARGV[1]), ARGV[5]
local before = redis.call('HMGET', key, 'phase', 'progress')
if tonumber(before[2]) > tonumber(progress) then progress = before[2] end
redis.call('ZADD', 'parley:leases', int(now + ARGV[3]), ARGV[1])
if before[1] ~= ARGV[4] or before[2] ~= progress then
  redis.call('HSET', key, 'phase', ARGV[4], 'progress', progress)
  changed(ARGV[1])
end
return held
