-- Take the job: token and attempt number go up before work begins. ARGV: id worker lease_ms nonce
-- The nonce identifies the attempt. It makes the call repeatable: after a lost reply, the same call gives the same lease.
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'queue', 'nonce', 'published_at', 'accepted_at', 'started_at',
  'not_before', 'tenant')
if job[1] == 'running' and job[3] == ARGV[4] then return redis.call('HGETALL', key) end
if job[1] ~= 'accepted' and job[1] ~= 'queued' then return {} end
if job[7] and tonumber(job[7]) > now then return {} end -- waits for its retry

local queue, field = job[2], 'attempt:' .. redis.call('HINCRBY', key, 'attempt', 1)
enter(id, 'running')
redis.call('HINCRBY', key, 'token', 1)
redis.call('HDEL', key, 'progressed_at')
redis.call('HSET', key, 'nonce', ARGV[4], 'phase', 'decoding', field .. ':worker', ARGV[2],
  field .. ':started_at', int(now), 'turn', '1')
leave_line(id, queue, job[8])
redis.call('ZREM', 'parley:due', id)
redis.call('ZREM', waiting_key(queue), id)
redis.call('ZADD', leases_key(queue), int(now + ARGV[3]), id)
redis.call('HINCRBY', 'parley:running', ARGV[2], 1)
if job[4] and tonumber(job[4]) > tonumber(redis.call('GET', 'parley:started:' .. queue) or '0') then
  redis.call('SET', 'parley:started:' .. queue, job[4]) -- messages come in order: older ones were taken before
end
if not job[6] then
  redis.call('HSET', key, 'started_at', int(now))
  observe('wait_seconds', queue, (now - job[5]) / 1000)
end
count('attempts_started|queue=' .. queue)
local pace = pace_of(queue)
if pace then note_estimate(id, remaining(pace, id)) end
trace(id, 'start ' .. int(now) .. ' ' .. ARGV[2])
changed(id)
return redis.call('HGETALL', key)
