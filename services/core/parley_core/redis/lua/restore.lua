-- Write the record of a job that only the object store knows: unfinished and due, or as it ended.
-- ARGV: id tenant queue reference options recording limits retain_seconds created_at run
--       state finished_at started_at token code detail result result_more
--       then five per attempt: worker started_at ended_at code detail
local id, tenant, queue, state = ARGV[1], ARGV[2], ARGV[3], ARGV[11]
if redis.call('EXISTS', job_key(id)) == 1 then return 'present' end
if redis.call('EXISTS', 'parley:purged:' .. id) == 1 then return 'purged' end

local created = ARGV[9]
redis.call('HSET', job_key(id), 'id', id, 'tenant', tenant, 'queue', queue, 'reference', ARGV[4], 'options', ARGV[5],
  'recording', ARGV[6], 'limits', ARGV[7], 'retain_seconds', ARGV[8], 'state', 'accepted', 'created_at', created,
  'accepted_at', created, 'token', '0', 'attempt', '0', 'progress', '0', 'run', ARGV[10])
redis.call('ZADD', 'parley:jobs:' .. tenant, created, id)
count('jobs_accepted|queue=' .. queue)
count('jobs_restored|queue=' .. queue)
if state == 'accepted' then
  redis.call('ZADD', unfinished_key(queue), created, id)
  redis.call('ZADD', 'parley:due', int(now), id)
  changed(id)
else
  write_attempts(id, 18)
  end_as(id, state, ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17], ARGV[18])
end
return 'restored'
