-- Forget a voice, and its name with it unless another voice has that by now. ARGV: key id name
local key, id, name = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HDEL', key, 'voice:' .. id) == 0 then return 'missing' end
if redis.call('HGET', key, 'name:' .. name) == id then redis.call('HDEL', key, 'name:' .. name) end
return 'ok'
