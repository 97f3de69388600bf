-- Hold an idempotency key while its first request is on the way. ARGV: key holder ttl_ms
local known = redis.call('HMGET', ARGV[1], 'job', 'holder')
if known[1] then return {'made', known[1]} end
if known[2] and known[2] ~= ARGV[2] then return {'in_use'} end
redis.call('HSET', ARGV[1], 'holder', ARGV[2])
redis.call('PEXPIRE', ARGV[1], ARGV[3])
return {'held'}
