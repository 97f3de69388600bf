-- Ask for the words of a job that has succeeded. While they are asked for, this changes nothing. ARGV: id asked_at lost
-- lost: '1' asks only if this record knows of no request of that time or later.
local id = ARGV[1]
local job = read(id, 'state', 'condemned', 'recording_removed', 'words:attempts', 'words:asked_at')
if not job[1] then return 'missing' end
if job[1] ~= 'succeeded' then return 'refused' end
if job[2] then return 'condemned' end
if job[3] then return 'no_recording' end
local last = tonumber(job[5] or '0')
if ARGV[3] == '1' and last >= tonumber(ARGV[2]) then return 'known' end
redis.call('HSET', job_key(id), 'words:asked_at', int(math.max(last, ARGV[2])))
if job[4] then return 'ok' end
redis.call('HSET', job_key(id), 'words:attempts', '0')
redis.call('ZADD', WORDS_REQUESTS, int(now), id)
changed(id)
return 'ok'
