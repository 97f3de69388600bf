-- Note how an attempt to deliver went. ARGV: id run outcome state(delivered|failed|pending) delay_ms took_ms
-- `pending` means that the next attempt is due after the delay.
local id, run, state = ARGV[1], ARGV[2], ARGV[4]
local key, delivery = job_key(id), id .. ':' .. run
if redis.call('HEXISTS', key, delivery_field(run, 'state')) == 0 then return 'missing' end
redis.call('HINCRBY', key, delivery_field(run, 'attempts'), 1)
redis.call('HSET', key, delivery_field(run, 'state'), state, delivery_field(run, 'outcome'), ARGV[3],
  delivery_field(run, 'at'), int(now))
if state == 'pending' then
  redis.call('ZADD', 'parley:outbox', int(now + ARGV[5]), delivery)
else
  redis.call('ZREM', 'parley:outbox', delivery)
end
local traceparent = redis.call('HGET', key, 'traceparent') or '-'
queue_trace('delivery ' .. id .. ' ' .. run .. ' ' .. traceparent .. ' ' .. ARGV[3] .. ' ' .. int(now - ARGV[6]) .. ' '
  .. int(now))
count('delivery_attempts|result=' .. (state == 'delivered' and 'delivered' or 'refused'))
if state == 'failed' then count('deliveries_given_up') end
return 'ok'
