-- Record a job: accepted, unfinished, due for publishing soon. Replays by id and by idempotency key change nothing.
-- ARGV: id tenant queue queue_limit due_in_ms accepted_at idempotency_key digest idempotency_ttl_ms turns queues,
--       then fields in pairs
-- With turns, the next jobs of the queues (named with blanks between) are claimed in the same step, as by take_turns.
-- Of a job that it made it also returns the record, the forecast, and the claimed jobs.
-- accepted_at (milliseconds, or empty for now) is that of a job accepted without a record: it keeps its place in the
-- order of its queue, and is let into a full one, since it was promised.
local id, tenant, queue, idempotency = ARGV[1], ARGV[2], ARGV[3], ARGV[7]
if idempotency ~= '' then
  local known = redis.call('HMGET', idempotency, 'job', 'digest')
  if known[1] then
    if known[2] ~= ARGV[8] then return {'reused', known[1]} end
    return {'replayed', known[1]}
  end
end
if redis.call('EXISTS', job_key(id)) == 1 then return {'replayed', id} end
if redis.call('EXISTS', purged_key(id)) == 1 then return {'purged', id} end
local promised = ARGV[6] ~= ''
if not promised and redis.call('ZCARD', unfinished_key(queue)) >= tonumber(ARGV[4]) then return {'full', id} end

record(id, tenant, queue, int(promised and math.min(now, tonumber(ARGV[6])) or now), 12)
redis.call('ZADD', 'parley:due', int(now + ARGV[5]), id)
line_up(id)
note_arrival(id, tenant, queue)
if idempotency ~= '' then
  redis.call('DEL', idempotency)
  redis.call('HSET', idempotency, 'job', id, 'digest', ARGV[8])
  redis.call('PEXPIRE', idempotency, ARGV[9])
end
count('jobs_accepted|queue=' .. queue)
changed(id)
local turns, found, expected_end = tonumber(ARGV[10]), {}, nil
if turns > 0 then
  expected_end = enqueue(id)
  for name in ARGV[11]:gmatch('%S+') do take_turns(name, turns, ARGV[5], found) end
end
return {'created', id, redis.call('HGETALL', job_key(id)), forecast_of(id, expected_end or outlook(id)), found}
