-- Jobs to publish now, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms
local found = {}
for _, id in ipairs(redis.call('ZRANGE', 'parley:due', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local job = read(id, 'state', 'queue', 'limits', 'token')
  if job[1] == 'accepted' or job[1] == 'queued' then
    redis.call('ZADD', 'parley:due', int(now + ARGV[2]), id)
    table.insert(found, {id, job[2], job[3], job[4]})
  else
    redis.call('ZREM', 'parley:due', id)
  end
end
return found
