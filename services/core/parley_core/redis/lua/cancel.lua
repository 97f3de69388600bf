-- Terminal at once, whatever the worker is doing: it can neither renew nor commit from now on. ARGV: id
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'queue', 'attempt')
if not job[1] then return 'missing' end
if job[1] == 'succeeded' or job[1] == 'failed' or job[1] == 'cancelled' then return 'terminal' end
if job[1] == 'running' then end_attempt(id, job[3], 'job_cancelled', 'Cancelled while it ran.') end
finish(id, 'cancelled', 'jobs_cancelled|queue=' .. job[2])
return 'ok'
