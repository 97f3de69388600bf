-- Ask for the words of a job that has succeeded. While they are asked for, this changes nothing. ARGV: id
local id = ARGV[1]
local job = read(id, 'state', 'condemned', 'recording_removed', 'words:attempts')
if not job[1] then return 'missing' end
if job[1] ~= 'succeeded' then return 'refused' end
if job[2] then return 'condemned' end
if job[3] then return 'no_recording' end
if job[4] then return 'ok' end
redis.call('HSET', job_key(id), 'words:attempts', '0')
redis.call('ZADD', WORDS_REQUESTS, int(now), id)
changed(id)
return 'ok'
