-- Take a request for words. ARGV: id worker lease_ms nonce
-- The nonce identifies the attempt, and makes the call repeatable.
local id, key = ARGV[1], job_key(ARGV[1])
local request = read(id, 'words:attempts', 'words:worker', 'words:nonce')
if not request[1] then return {} end
if request[3] == ARGV[4] then return redis.call('HGETALL', key) end
if request[2] and tonumber(redis.call('ZSCORE', WORDS_REQUESTS, id) or '0') > now then return {} end -- somebody has it
redis.call('HINCRBY', key, 'words:attempts', 1)
redis.call('HSET', key, 'words:worker', ARGV[2], 'words:nonce', ARGV[4], 'words:progress', '0')
redis.call('ZADD', WORDS_REQUESTS, int(now + ARGV[3]), id)
changed(id)
return redis.call('HGETALL', key)
