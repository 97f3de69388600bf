-- A worker says that it serves a queue for the time being. ARGV: queue worker capacity lasts_ms
local key = 'parley:workers:' .. ARGV[1]
redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))
redis.call('ZADD', key, int(now + ARGV[4]), ARGV[3] .. ':' .. ARGV[2])
