-- Terminal at once, whatever the worker is doing: it can neither renew nor commit from now on. ARGV: id
local id = ARGV[1]
local job = redis.call('HMGET', job_key(id), 'state', 'queue')
if not job[1] then return 'missing' end
if ENDED[job[1]] then return 'terminal' end
if job[1] == 'running' then end_attempt(id, 'job_cancelled', 'Cancelled while it ran.') end
finish(id, 'cancelled', 'jobs_cancelled|queue=' .. job[2])
return 'ok'
