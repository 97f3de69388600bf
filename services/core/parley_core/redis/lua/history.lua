-- Note that the record is complete up to now, unless this is no longer the data set that was looked at: Redis may lose
-- writes while a keeper brings them back. ARGV: data_set ticks server look_again look_again_in_ms
-- evictions
-- look_again: since when (milliseconds) the record is to be compared once more, `done` when it was, or empty.
local key = 'parley:history'
local known = redis.call('HMGET', key, 'id', 'ticks')
if known[1] ~= ARGV[1] or tonumber(known[2] or '0') < tonumber(ARGV[2]) or server_identity() ~= ARGV[3] then return 0 end
redis.call('HSET', key, 'server', ARGV[3], 'at', int(now), 'evictions', ARGV[6])
if ARGV[4] == 'done' then
  redis.call('HDEL', key, 'again_since')
elseif ARGV[4] ~= '' then
  redis.call('HSET', key, 'again_since', ARGV[4], 'again_at', int(now + ARGV[5]))
end
return redis.call('HINCRBY', key, 'ticks', 1)
