-- Leases that ran out: id, token, nonce, attempt and worker of each. ARGV: limit lease_ms queue...
-- None before every worker has had a whole lease to renew on this server. After a restart, a failover or a restore the
-- leases are older than the workers: renewals are neither logged nor replicated, and newer writes may be lost.
-- The same holds where nobody has looked for long: the machine of Redis slept, its clock was set, or no keeper ran.
-- A clock that went back, or a server whose clock is behind that of the last one, leaves leases far in the future: they
-- end a whole lease from now.
local LONGEST_GAP = 5000 -- between two calls, at least; keepers call once a second
local server, lease = server_identity(), tonumber(ARGV[2])
local known = redis.call('HMGET', 'parley:renewals', 'server', 'since', 'seen')
local seen = tonumber(known[3] or '0')
redis.set_repl(redis.REPL_NONE) -- once a second, and of this server alone
redis.call('HSET', 'parley:renewals', 'seen', int(now))
redis.set_repl(redis.REPL_ALL)
if known[1] ~= server or seen > now or now - seen > math.max(LONGEST_GAP, 0.75 * lease) then
  redis.call('HSET', 'parley:renewals', 'server', server, 'since', int(now))
  for index = 3, #ARGV do
    local key = leases_key(ARGV[index])
    for _, id in ipairs(redis.call('ZRANGE', key, '(' .. int(now + lease), '+inf', 'BYSCORE')) do
      redis.call('ZADD', key, int(now + lease), id)
    end
  end
  return {}
end
if now - known[2] <= lease then return {} end

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
      redis.call('ZADD', key, int(now + lease), id) -- unreadable: it must not stand in the way of others
      count('unreadable_records')
      table.insert(found, {id})
    end
  end
end
return found
