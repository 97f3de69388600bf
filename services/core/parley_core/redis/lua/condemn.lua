-- Ended jobs are about to be purged: they cannot run again, and a keeper completes a purge that was broken off.
-- Returns what became of each: 'ok', 'missing', or 'refused'. ARGV: claim_ms, then ids
local function condemn(id)
  local state = redis.call('HGET', job_key(id), 'state')
  if not state then return 'missing' end
  if not ENDED[state] then return 'refused' end
  redis.call('HSET', job_key(id), 'condemned', '1')
  redis.call('ZADD', 'parley:expiry', int(now + ARGV[1]), id)
  redis.call('ZADD', 'parley:removing', 'NX', int(now), id)
  return 'ok'
end

local outcomes = {}
for place = 2, #ARGV do outcomes[place - 1] = condemn(ARGV[place]) end
return outcomes
