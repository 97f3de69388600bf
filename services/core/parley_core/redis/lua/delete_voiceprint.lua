-- Delete a voiceprint; its name is free again. ARGV: key id name tenant
local key, id, name = ARGV[1], ARGV[2], ARGV[3]
redis.call('ZREM', 'parley:voiceprint_expiry', ARGV[4] .. ' ' .. id)
if redis.call('HDEL', key, 'voice:' .. id) == 0 then return 'missing' end
redis.call('HDEL', key, 'name:' .. name)
return 'ok'
