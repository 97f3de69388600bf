-- Commit a result under the attempt's nonce. ARGV: id nonce engine engine_document result, then fields in pairs
local id, key = ARGV[1], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'nonce', 'result', 'queue')
if job[1] == ARGV[2] and job[2] == ARGV[5] then return 'held' end -- asked again
local held = holding(id, ARGV[2])
if held ~= 'held' then
  if job[3] then count('commits_refused|queue=' .. job[3]) end
  return held
end
end_attempt(id)
keep_engine(id, ARGV[3], ARGV[4])
redis.call('HSET', key, 'progress', '1', unpack(ARGV, 6))
finish(id, 'succeeded', 'jobs_succeeded|queue=' .. job[3])
return 'held'
