-- Take traces that were sent from the outbox. ARGV: entries
for _, entry in ipairs(ARGV) do
  local id, run = entry:match('^end (%S+) (%d+)$')
  if id then redis.call('DEL', trace_key(id, run)) end
  redis.call('ZREM', 'parley:traces', entry)
end
return redis.call('ZCARD', 'parley:traces')
