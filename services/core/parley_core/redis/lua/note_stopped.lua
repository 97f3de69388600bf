-- The attempt of a cancelled job has stopped; count once how long that took. ARGV: id nonce
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'nonce', 'queue', 'finished_at', 'stopped')
if job[1] ~= 'cancelled' or job[2] ~= ARGV[2] or job[5] then return 'outdated' end
redis.call('HSET', key, 'stopped', '1')
observe('cancel_seconds', job[3], (now - job[4]) / 1000)
return 'ok'
