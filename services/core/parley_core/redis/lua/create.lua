-- Record a job: accepted, unfinished, due for publishing soon. Replays by id and by idempotency key change nothing.
-- ARGV: id tenant queue reference options recording limits retain_seconds queue_limit due_in_ms
--       idempotency_key digest idempotency_ttl_ms accepted_at
-- accepted_at (milliseconds, or empty for now) is that of a job accepted without a record: it keeps its place in the
-- order of its queue, and is let into a full one, since it was promised.
local id, tenant, queue = ARGV[1], ARGV[2], ARGV[3]
local idempotency = ARGV[11]
if idempotency ~= '' then
  local known = redis.call('HMGET', idempotency, 'job', 'digest')
  if known[1] then
    if known[2] ~= ARGV[12] then return {'reused', known[1]} end
    return {'replayed', known[1]}
  end
end
if redis.call('EXISTS', job_key(id)) == 1 then return {'replayed', id} end
if redis.call('EXISTS', purged_key(id)) == 1 then return {'purged', id} end
local promised = ARGV[14] ~= ''
if not promised and redis.call('ZCARD', unfinished_key(queue)) >= tonumber(ARGV[9]) then return {'full', id} end
local accepted_at = int(promised and math.min(now, tonumber(ARGV[14])) or now)

redis.call('HSET', job_key(id), 'id', id, 'tenant', tenant, 'queue', queue, 'reference', ARGV[4], 'options', ARGV[5],
  'recording', ARGV[6], 'limits', ARGV[7], 'retain_seconds', ARGV[8], 'state', 'accepted', 'created_at', accepted_at,
  'accepted_at', accepted_at, 'token', '0', 'attempt', '0', 'progress', '0', 'run', '0')
redis.call('ZADD', 'parley:jobs:' .. tenant, accepted_at, id)
redis.call('ZADD', unfinished_key(queue), accepted_at, id)
redis.call('ZADD', 'parley:due', int(now + ARGV[10]), id)
if idempotency ~= '' then
  redis.call('DEL', idempotency)
  redis.call('HSET', idempotency, 'job', id, 'digest', ARGV[12])
  redis.call('PEXPIRE', idempotency, ARGV[13])
end
count('jobs_accepted|queue=' .. queue)
changed(id)
return {'created', id}
