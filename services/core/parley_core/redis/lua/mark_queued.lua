-- The id was handed to Celery. ARGV: id token
-- A start or a new run since then has another token or another state: then this word comes too late and says nothing.
local job = redis.call('HMGET', job_key(ARGV[1]), 'state', 'token', 'queue')
if job[2] ~= ARGV[2] or (job[1] ~= 'accepted' and job[1] ~= 'queued') then return 'late' end
redis.call('HSET', job_key(ARGV[1]), 'state', 'queued', 'published_at', int(now))
redis.call('ZREM', 'parley:due', ARGV[1])
redis.call('ZADD', waiting_key(job[3]), int(now), ARGV[1])
if job[1] == 'accepted' then changed(ARGV[1]) end
return 'ok'
