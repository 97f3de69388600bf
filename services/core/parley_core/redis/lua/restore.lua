-- Write the record of a job that only the object store knows: unfinished and due, or as it ended.
-- ARGV: id tenant queue created_at state finished_at token code engine engine_document,
--       then fields of the request and of the end in pairs
local id, tenant, queue, state = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
if redis.call('EXISTS', job_key(id)) == 1 then return 'present' end
if redis.call('EXISTS', purged_key(id)) == 1 then return 'purged' end
record(id, tenant, queue, ARGV[4], 11)
count('jobs_accepted|queue=' .. queue)
count('jobs_restored|queue=' .. queue)
if state == 'accepted' then
  redis.call('ZADD', 'parley:due', int(now), id)
  line_up(id)
  changed(id)
else
  keep_engine(id, ARGV[9], ARGV[10])
  end_as(id, state, ARGV[6], ARGV[7], ARGV[8], #ARGV + 1)
end
return 'restored'
