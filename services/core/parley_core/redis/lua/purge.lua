-- Forget ended jobs; their ids answer 410 for a while. Returns what became of each: 'ok', 'missing', or 'refused'.
-- ARGV: tombstone_ttl_ms, then ids
local function purge(id)
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'state', 'tenant', 'queue', 'reference', 'bytes', 'callback_url', 'run',
    'recording_removed')
  if not job[1] then return 'missing' end
  if not ENDED[job[1]] then return 'refused' end
  redis.call('DEL', key)
  redis.call('ZREM', listed_key(job[2], job[3], job[1]), id)
  redis.call('ZREM', references_key(job[2]), reference_member(job[4] or '', id))
  redis.call('ZREM', 'parley:expiry', id)
  redis.call('ZREM', 'parley:removing', id)
  unlist_recording(id)
  redis.call('ZREM', WORDS_REQUESTS, id)
  for run = 0, job[6] and tonumber(job[7]) or -1 do
    redis.call('ZREM', 'parley:outbox', id .. ':' .. run)
    redis.call('ZREM', deliveries_key(job[2]), id .. ':' .. run)
  end
  redis.call('SET', purged_key(id), '1', 'PX', ARGV[1])
  count('jobs_purged|queue=' .. job[3])
  if not job[8] then uncount_recording(job[3], job[2], job[5]) end
  return 'ok'
end

local outcomes = {}
for place = 2, #ARGV do outcomes[place - 1] = purge(ARGV[place]) end
return outcomes
