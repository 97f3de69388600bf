-- Jobs whose retention is over, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms
-- parley:removing keeps since when a claimed job should be gone: a claim moves its place in parley:expiry.
local found = {}
local expired = redis.call('ZRANGE', 'parley:expiry', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
for index = 1, #expired, 2 do
  local id = expired[index]
  if ENDED[read(id, 'state')[1]] then
    redis.call('ZADD', 'parley:removing', 'NX', expired[index + 1], id)
    redis.call('ZADD', 'parley:expiry', int(now + ARGV[2]), id)
    table.insert(found, id)
  else
    redis.call('ZREM', 'parley:removing', id)
    redis.call('ZREM', 'parley:expiry', id)
  end
end
return found
