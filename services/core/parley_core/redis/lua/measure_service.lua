-- Add the time since the last call to the time in which each queue had jobs, and had workers for them.
-- Several keepers may call: each adds what has passed since the call before. ARGV: start_ms longest_ms queue...
-- A queue without workers counts as served until its oldest job is older than start_ms, which a worker takes to start.
for index = 3, #ARGV do
  local queue = ARGV[index]
  local last = tonumber(redis.call('HGET', 'parley:service', queue) or now)
  local passed = math.max(0, math.min(now - last, tonumber(ARGV[2])))
  local workers = redis.call('ZRANGE', 'parley:workers:' .. queue, '(' .. int(now), '+inf', 'BYSCORE')
  local oldest = redis.call('ZRANGE', unfinished_key(queue), 0, 0, 'WITHSCORES')[2]
  local capacity = 0
  for _, member in ipairs(workers) do capacity = capacity + member:match('^%d+') end
  redis.call('HSET', 'parley:service', queue, int(now))
  count('capacity_ms|queue=' .. queue, int(capacity * passed))
  if oldest then
    count('busy_ms|queue=' .. queue, int(passed))
    if #workers > 0 or now - oldest < tonumber(ARGV[1]) then count('served_ms|queue=' .. queue, int(passed)) end
  end
end
return 'ok'
