-- Published, not started, and the message is gone: make due again. ARGV: queue messages_waiting grace_ms limit
-- No message left in the list: every published job that has not started is forgotten. Messages left: those published
-- well before one that has already started, since a list hands them out in order.
-- A clock that went back leaves times in the future: such a start proves nothing, and with no message left every job
-- that was published before is forgotten.
local queue, messages, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local horizon = now - ARGV[3]
if messages > 0 then
  local started = tonumber(redis.call('GET', 'parley:started:' .. queue) or '0')
  horizon = math.min(horizon, (started > now and 0 or started) - ARGV[3])
end
local found = redis.call('ZRANGE', waiting_key(queue), '-inf', int(horizon), 'BYSCORE', 'LIMIT', 0, limit)
if messages == 0 then
  local ahead = redis.call('ZRANGE', waiting_key(queue), '(' .. int(now), '+inf', 'BYSCORE', 'LIMIT', 0, limit - #found)
  for _, id in ipairs(ahead) do table.insert(found, id) end
end
for _, id in ipairs(found) do
  redis.call('ZREM', waiting_key(queue), id)
  redis.call('ZADD', 'parley:due', int(now), id)
  count('messages_lost|queue=' .. queue)
end
return found
