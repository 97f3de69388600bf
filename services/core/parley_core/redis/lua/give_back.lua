-- End an attempt that does not count: its worker stops, and the job is due at once. ARGV: id nonce
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'nonce', 'queue', 'attempt')
if job[1] == 'queued' and job[2] == ARGV[2] then return 'held' end -- asked again
local held = holding(id, ARGV[2])
if held ~= 'held' then return held end

end_attempt(id)
trace(id, 'give_back ' .. int(now))
local field = 'attempt:' .. job[4]
redis.call('HDEL', key, field .. ':worker', field .. ':started_at', field .. ':ended_at', 'phase', 'published_at')
redis.call('HINCRBY', key, 'attempt', -1)
redis.call('HSET', key, 'progress', '0')
enter(id, 'queued')
redis.call('ZADD', 'parley:due', int(now), id)
count('attempts_given_back|queue=' .. job[3])
changed(id)
return 'held'
