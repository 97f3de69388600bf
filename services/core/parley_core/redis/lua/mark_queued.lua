-- The id was handed to Celery. ARGV: id token
-- A start or a retry since then has changed the token or the state: then this call is out of date.
local id = ARGV[1]
local job = redis.call('HMGET', job_key(id), 'state', 'token', 'queue', 'tenant')
if job[2] ~= ARGV[2] then return 'outdated' end
if job[1] ~= 'accepted' and job[1] ~= 'queued' then return 'outdated' end
redis.call('HSET', job_key(id), 'published_at', int(now), 'turn', '1')
leave_line(id, job[3], job[4])
redis.call('ZREM', 'parley:due', id)
redis.call('ZADD', waiting_key(job[3]), int(now), id)
if job[1] == 'accepted' then
  enter(id, 'queued')
  changed(id)
end
return 'ok'
