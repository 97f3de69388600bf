-- Traces to send now, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms tracing_ms
-- The call also says that a keeper sends traces: transitions note nothing for them unless one has called of late.
-- Returns a text for each: the entry of the outbox and, for the end of a run, the lines that its transitions noted.
redis.call('SET', 'parley:tracing', '1', 'PX', ARGV[3])
local found = {}
for _, entry in ipairs(redis.call('ZRANGE', 'parley:traces', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local id, run = entry:match('^end (%S+) (%d+)$')
  redis.call('ZADD', 'parley:traces', int(now + ARGV[2]), entry)
  table.insert(found, table.concat({entry, unpack(id and redis.call('LRANGE', trace_key(id, run), 0, -1) or {})}, '\n'))
end
return found
