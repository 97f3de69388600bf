-- Delete a voiceprint; its name is free again. ARGV: key id name
local key, id, name = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HDEL', key, 'voice:' .. id) == 0 then return 'missing' end
redis.call('HDEL', key, 'name:' .. name)
return 'ok'
