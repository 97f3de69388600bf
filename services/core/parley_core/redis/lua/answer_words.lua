-- Answer a request for words: what became of them. ARGV: id nonce, then fields of the transcription in pairs
-- nonce: of the attempt, or empty: the keeper gives the request up.
local id, key = ARGV[1], job_key(ARGV[1])
local job = read(id, 'words:nonce', 'words:attempts', 'tenant', 'queue')
if not job[3] then return 'missing' end
if not job[2] or (ARGV[2] ~= '' and job[1] ~= ARGV[2]) then return 'lost' end
close_words_request(id)
redis.call('HDEL', key, 'transcription_code')
redis.call('HSET', key, unpack(ARGV, 3))
local found = redis.call('HMGET', key, 'transcribed', 'transcription_code')
count_transcription(job[4], found[2])
local transcribed, usage = math.floor(found[1] * 1000), usage_key(job[3], math.floor(now / 86400000))
if transcribed > 0 then
  redis.call('HINCRBY', usage, job[4] .. ':transcribed_ms', int(transcribed))
  redis.call('PEXPIRE', usage, int(USAGE_KEPT_MS))
end
changed(id)
return 'ok'
