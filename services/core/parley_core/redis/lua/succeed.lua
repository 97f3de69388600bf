-- Commit a result under the attempt's nonce. ARGV: id nonce result result_more
local id, key = ARGV[1], job_key(ARGV[1])
local done = redis.call('HMGET', key, 'state', 'nonce', 'result')
if done[1] == 'succeeded' and done[2] == ARGV[2] and done[3] == ARGV[3] then return 'held' end -- asked again
local held = holding(id, ARGV[2])
local job = redis.call('HMGET', key, 'attempt', 'queue')
if held ~= 'held' then
  if job[2] then count('commits_refused|queue=' .. job[2]) end
  return held
end
local field = 'attempt:' .. job[1] .. ':started_at'
observe('run_seconds', job[2], now - redis.call('HGET', key, field), RUN_BUCKETS)
end_attempt(id, job[1])
redis.call('HSET', key, 'result', ARGV[3], 'result_more', ARGV[4], 'progress', '1')
finish(id, 'succeeded', 'jobs_succeeded|queue=' .. job[2])
return 'held'
