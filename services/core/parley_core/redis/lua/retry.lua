-- A failed or cancelled job runs again with a new list of attempts. ARGV: id run
-- run: number of retries so far, as the caller knows it, or empty: of two callers, one begins the next run.
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'queue', 'attempt', 'condemned', 'tenant', 'run',
  'recording_removed')
if not job[1] then return 'missing' end
if job[1] ~= 'failed' and job[1] ~= 'cancelled' then return 'refused' end
if ARGV[2] ~= '' and job[6] ~= ARGV[2] then return 'refused' end
if job[4] then return 'condemned' end
if job[7] then return 'no_recording' end
for number = 1, tonumber(job[3]) do
  local field = 'attempt:' .. number
  redis.call('HDEL', key, field .. ':worker', field .. ':started_at', field .. ':ended_at', field .. ':code',
    field .. ':detail')
end
redis.call('HDEL', key, 'nonce', 'started_at', 'finished_at', 'error_code', 'error_detail', 'stopped')
enter(id, 'queued')
redis.call('HSET', key, 'attempt', '0', 'progress', '0', 'accepted_at', int(now))
redis.call('HINCRBY', key, 'run', 1)
redis.call('ZREM', 'parley:expiry', id)
unlist_recording(id)
redis.call('ZREM', 'parley:removing', id)
redis.call('ZADD', unfinished_key(job[2]), int(now), id)
redis.call('ZADD', 'parley:due', int(now), id)
line_up(id)
count('jobs_retried|queue=' .. job[2])
count_tenant('tenant_unfinished', job[5])
changed(id)
return 'ok'
