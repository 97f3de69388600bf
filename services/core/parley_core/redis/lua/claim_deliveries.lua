-- Deliveries to make now, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms
local found = {}
for _, delivery in ipairs(redis.call('ZRANGE', 'parley:outbox', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local id, run = delivery:match('^(.+):(%d+)$')
  local attempts = id and read(id, delivery_field(run, 'attempts'))[1]
  if attempts then
    redis.call('ZADD', 'parley:outbox', int(now + ARGV[2]), delivery)
    table.insert(found, {id, run, attempts})
  else
    redis.call('ZREM', 'parley:outbox', delivery)
  end
end
return found
