-- An ended job is about to be purged: it cannot run again, and a keeper completes a purge that was broken off.
-- ARGV: id claim_ms
local state = redis.call('HGET', job_key(ARGV[1]), 'state')
if not state then return 'missing' end
if not ENDED[state] then return 'refused' end
redis.call('HSET', job_key(ARGV[1]), 'condemned', '1')
redis.call('ZADD', 'parley:expiry', int(now + ARGV[2]), ARGV[1])
redis.call('ZADD', 'parley:removing', 'NX', int(now), ARGV[1])
return 'ok'
