-- The recording of a job is gone, and the rest is kept. Again, or without a record, it changes nothing. ARGV: id
local id = ARGV[1]
unlist_recording(id)
local job = read(id, 'tenant', 'queue', 'bytes', 'recording_removed')
if not job[1] or job[4] then return end
redis.call('HSET', job_key(id), 'recording_removed', '1')
uncount_recording(job[2], job[1], job[3])
