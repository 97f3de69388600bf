-- Jobs whose retention is over, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms
local found = {}
for _, id in ipairs(redis.call('ZRANGE', 'parley:expiry', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  if ENDED[read(id, 'state')[1]] then
    redis.call('ZADD', 'parley:expiry', int(now + ARGV[2]), id)
    table.insert(found, id)
  else
    redis.call('ZREM', 'parley:expiry', id)
  end
end
return found
