-- Give a request for words back without counting the attempt. ARGV: id nonce
local id, key = ARGV[1], job_key(ARGV[1])
if read(id, 'words:nonce')[1] ~= ARGV[2] then return 'lost' end
redis.call('HINCRBY', key, 'words:attempts', -1)
redis.call('HDEL', key, 'words:worker', 'words:nonce')
redis.call('ZADD', WORDS_REQUESTS, int(now), id)
return 'ok'
