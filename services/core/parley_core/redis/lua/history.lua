-- Note that this server's history is known up to now. ARGV: identity of the server
redis.call('HSETNX', 'parley:history', 'id', ARGV[1])
redis.call('HSET', 'parley:history', 'server', ARGV[1], 'at', int(now))
return {redis.call('HGET', 'parley:history', 'id'), redis.call('HINCRBY', 'parley:history', 'ticks', 1)}
