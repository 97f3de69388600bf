-- Traces of samples: each bucket of a histogram keeps its last one. ARGV: what queue value trace_id, again and again
for index = 1, #ARGV, 4 do
  local what, queue, value, trace_id = ARGV[index], ARGV[index + 1], ARGV[index + 2], ARGV[index + 3]
  redis.call('HSET', 'parley:exemplars', bucket_of(what, queue, tonumber(value)), trace_id .. ' ' .. value .. ' ' .. int(now))
end
