-- Leases that ran out: id, token, nonce, attempt and worker of each. ARGV: limit lease_ms queue...
-- None before every worker has had a whole lease to renew on this server. After a restart, a failover or a restore the
-- leases are older than the workers: renewals are neither logged nor replicated, and newer writes may be lost.
local server = server_identity()
local seen = redis.call('HMGET', 'parley:renewals', 'server', 'since')
if seen[1] ~= server then
  redis.call('HSET', 'parley:renewals', 'server', server, 'since', int(now))
  return {}
end
if now - seen[2] <= tonumber(ARGV[2]) then return {} end

local found = {}
for index = 3, #ARGV do
  local key = leases_key(ARGV[index])
  for _, id in ipairs(redis.call('ZRANGE', key, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
    local job = read(id, 'state', 'token', 'nonce', 'attempt')
    local worker = job[4] and redis.call('HGET', job_key(id), 'attempt:' .. job[4] .. ':worker')
    if job[1] ~= 'running' then
      redis.call('ZREM', key, id)
    elseif tonumber(job[2]) and job[3] and worker then
      table.insert(found, {id, job[2], job[3], job[4], worker})
    else
      redis.call('ZADD', key, int(now + ARGV[2]), id) -- unreadable: it must not stand in the way of others
      count('unreadable_records')
      table.insert(found, {id})
    end
  end
end
return found
