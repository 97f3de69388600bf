-- Published, not started, and the message is gone: make due again. ARGV: queue messages_waiting grace_ms limit
-- No message left in the list: every published job that has not started is forgotten. Messages left: those published
-- well before one that has already started, since a list hands them out in order.
local horizon = now - ARGV[3]
if tonumber(ARGV[2]) > 0 then
  horizon = math.min(horizon, tonumber(redis.call('GET', 'parley:started:' .. ARGV[1]) or '0') - ARGV[3])
end
local found = redis.call('ZRANGE', waiting_key(ARGV[1]), '-inf', int(horizon), 'BYSCORE', 'LIMIT', 0, ARGV[4])
for _, id in ipairs(found) do
  redis.call('ZREM', waiting_key(ARGV[1]), id)
  redis.call('ZADD', 'parley:due', int(now), id)
  count('messages_lost|queue=' .. ARGV[1])
end
return found
