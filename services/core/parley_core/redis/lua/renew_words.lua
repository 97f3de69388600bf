-- Extend the lease on a request for words, and write its progress. ARGV: id nonce lease_ms progress
local id = ARGV[1]
local request = read(id, 'words:nonce', 'condemned')
if request[1] ~= ARGV[2] or request[2] then return 'lost' end
redis.call('ZADD', WORDS_REQUESTS, int(now + ARGV[3]), id)
redis.call('HSET', job_key(id), 'words:progress', ARGV[4])
return 'held'
