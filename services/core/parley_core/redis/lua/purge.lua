-- Forget a terminal job; its id answers 410 for a while. ARGV: id tombstone_ttl_ms
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'tenant', 'queue')
if not job[1] then return 'missing' end
if job[1] ~= 'succeeded' and job[1] ~= 'failed' and job[1] ~= 'cancelled' then return 'refused' end
redis.call('DEL', key, 'parley:events:' .. id)
redis.call('ZREM', 'parley:jobs:' .. job[2], id)
redis.call('ZREM', 'parley:expiry', id)
redis.call('SET', purged_key(id), job[2], 'PX', ARGV[2])
count('jobs_purged|queue=' .. job[3])
return 'ok'
