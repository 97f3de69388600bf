-- Show the end that the object store holds: it is the job's only end, whatever this record says.
-- ARGV: id run state finished_at started_at token code detail result result_more
--       then five per attempt: worker started_at ended_at code detail
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'run', 'attempt')
if not job[1] then return 'missing' end
if (job[2] or '0') ~= ARGV[2] then return 'other_run' end
if job[1] == 'succeeded' or job[1] == 'failed' or job[1] == 'cancelled' then return 'ended' end
if #ARGV > 10 then
  write_attempts(id, 10)
elseif job[1] == 'running' then
  end_attempt(id, job[3])
end
end_as(id, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
return 'applied'
