-- End an attempt with an error; the job waits for the next one or fails.
-- ARGV: id nonce code detail then(retry|fail) delay_ms only_if_lapsed(0|1)
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'nonce', 'queue')
if job[2] == ARGV[2] and (job[1] == 'queued' or job[1] == 'failed') then return 'held' end -- asked again
local held = holding(id, ARGV[2])
if held ~= 'held' then return held end
local queue = job[3]
local lease = tonumber(redis.call('ZSCORE', leases_key(queue), id) or '0')
if ARGV[7] == '1' and lease > now then return 'lost' end -- its worker is back

end_attempt(id, ARGV[3], ARGV[4])
count('attempts_failed|code=' .. ARGV[3] .. '|queue=' .. queue)
if ARGV[5] == 'fail' then
  redis.call('HSET', key, 'error_code', ARGV[3], 'error_detail', ARGV[4])
  finish(id, 'failed', 'jobs_failed|code=' .. ARGV[3] .. '|queue=' .. queue)
  return 'held'
end
enter(id, 'queued')
redis.call('HSET', key, 'progress', '0', 'not_before', int(now + ARGV[6]))
redis.call('HDEL', key, 'phase', 'published_at')
redis.call('ZADD', 'parley:due', int(now + ARGV[6]), id)
changed(id)
return 'held'
