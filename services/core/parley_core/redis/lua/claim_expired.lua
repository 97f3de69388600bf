-- Jobs whose retention is over, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms
-- parley:removing keeps since when a claimed job should be gone: a claim moves its place in parley:expiry.
-- A job whose end is yet to be delivered stays until it is, or until its delivery has been given up.
local found = {}
local expired = redis.call('ZRANGE', 'parley:expiry', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
for index = 1, #expired, 2 do
  local id = expired[index]
  local job = read(id, 'state', 'run')
  if ENDED[job[1]] then
    redis.call('ZADD', 'parley:expiry', int(now + ARGV[2]), id)
    if redis.call('HGET', job_key(id), delivery_field(job[2] or '0', 'state')) ~= 'pending' then
      redis.call('ZADD', 'parley:removing', 'NX', expired[index + 1], id)
      table.insert(found, id)
    end
  else
    redis.call('ZREM', 'parley:removing', id)
    redis.call('ZREM', 'parley:expiry', id)
  end
end
return found
