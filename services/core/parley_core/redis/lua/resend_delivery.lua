-- Deliver once more, with the whole schedule of attempts. ARGV: id run
local id, run = ARGV[1], ARGV[2]
local key = job_key(id)
if redis.call('HEXISTS', key, delivery_field(run, 'state')) == 0 then return 'missing' end
redis.call('HSET', key, delivery_field(run, 'state'), 'pending', delivery_field(run, 'attempts'), '0')
redis.call('ZADD', 'parley:outbox', int(now), id .. ':' .. run)
return 'ok'
