-- Show the end that the object store holds: it is the job's only end, whatever this record says.
-- ARGV: id run state finished_at token code engine engine_document, then fields of the end in pairs
local id = ARGV[1]
local job = redis.call('HMGET', job_key(id), 'state', 'run')
if job[2] ~= ARGV[2] then return 'other_run' end -- or no record
if ENDED[job[1]] then return 'ended' end
if job[1] == 'running' then end_attempt(id) end
keep_engine(id, ARGV[7], ARGV[8])
end_as(id, ARGV[3], ARGV[4], ARGV[5], ARGV[6], 9)
return 'applied'
