-- End an attempt with an error; the job waits for the next one or fails.
-- ARGV: id nonce code detail then(retry|fail) delay_ms only_if_lapsed(0|1)
local id, key = ARGV[1], job_key(ARGV[1])
if redis.call('HGET', key, 'ended_nonce') == ARGV[2] then return 'held' end -- asked again
local held = holding(id, ARGV[2])
if held ~= 'held' then return held end
local lease = redis.call('ZSCORE', 'parley:leases', id)
if ARGV[7] == '1' and lease and tonumber(lease) > now then return 'lost' end -- its worker is back

local job = redis.call('HMGET', key, 'attempt', 'queue')
end_attempt(id, job[1], ARGV[3], ARGV[4])
redis.call('HSET', key, 'ended_nonce', ARGV[2])
count('attempts_failed|code=' .. ARGV[3] .. '|queue=' .. job[2])
if ARGV[5] == 'fail' then
  redis.call('HSET', key, 'error_code', ARGV[3], 'error_detail', ARGV[4])
  finish(id, 'failed', 'jobs_failed|code=' .. ARGV[3] .. '|queue=' .. job[2])
  return 'held'
end
redis.call('HSET', key, 'state', 'queued', 'progress', '0', 'not_before', int(now + ARGV[6]))
redis.call('HDEL', key, 'phase', 'published_at', 'worker')
redis.call('ZREM', 'parley:leases', id)
redis.call('ZADD', 'parley:due', int(now + ARGV[6]), id)
changed(id)
return 'held'
