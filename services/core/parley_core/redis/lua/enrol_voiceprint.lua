-- Store a voiceprint unless its name is taken or the tenant has reached its limit. The same id again changes nothing.
-- ARGV: key id name document limit tenant until. Fields: `voice:<id>` is when and what, `name:<name>` is whose.
-- `until` is when consent ends, in milliseconds, or empty.
local key, id, name = ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HGET', key, 'voice:' .. id)
if known then return {'enrolled', known} end
if redis.call('HEXISTS', key, 'name:' .. name) == 1 then return {'taken'} end
if redis.call('HLEN', key) >= 2 * ARGV[5] then return {'full'} end
local kept = int(now) .. ' ' .. ARGV[4]
redis.call('HSET', key, 'voice:' .. id, kept, 'name:' .. name, id)
if ARGV[7] ~= '' then redis.call('ZADD', 'parley:voiceprint_expiry', ARGV[7], ARGV[6] .. ' ' .. id) end
return {'enrolled', kept}
