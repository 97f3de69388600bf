-- Prove that this server takes writes; return the commands that the user may not run.
-- The server refuses a script that writes where it refuses writes. The key stays out of its log and its replicas.
if redis.call('INFO', 'replication'):match('role:(%a+)') ~= 'master' then
  return redis.error_reply('READONLY This replica takes writes, and would lose them.')
end
redis.set_repl(redis.REPL_NONE)
redis.call('SET', 'parley:probe', int(now), 'PX', 60000)
local missing = {}
for _, command in ipairs({
  {'HSET', 'parley:probe', 'field', 'value'}, {'HDEL', 'parley:probe', 'field'}, {'HINCRBY', 'parley:probe', 'field', 1},
  {'HGETALL', 'parley:probe'}, {'ZADD', 'parley:probe', 1, 'member'}, {'ZREM', 'parley:probe', 'member'},
  {'ZRANGE', 'parley:probe', 0, 0}, {'ZCARD', 'parley:probe'}, {'RPUSH', 'parley:probe', 'value'},
  {'LTRIM', 'parley:probe', 0, 0}, {'DEL', 'parley:probe'}, {'PEXPIRE', 'parley:probe', 1},
  {'HINCRBY', 'parley:stored_bytes', 'tenant', 1}, {'PUBLISH', 'parley:changed', 'value'},
  {'LPUSH', 'interactive', 'value'}, {'LPUSH', 'batch', 'value'},
}) do
  if not redis.acl_check_cmd(unpack(command)) then table.insert(missing, command[1] .. ' ' .. command[2]) end
end
-- Every key that a transition may touch: after an upgrade, Redis may still have the access list of before.
for _, key in ipairs({
  job_key('id'), events_key('id'), unfinished_key('batch'), waiting_key('batch'), order_key('batch'),
  line_cost_key('batch'), virtual_key('batch'), pace_key('batch'), ratios_key('batch', 'free'), arrivals_key('batch'),
  usage_key('tenant', 0), leases_key('batch'), listed_key('tenant', 'batch', 'queued'), deliveries_key('tenant'),
  'parley:outbox', 'parley:engines', 'parley:running', 'parley:stats', 'parley:tenants', 'parley:due',
  'parley:expiry', 'parley:started:batch', trace_key('id', 0), 'parley:traces', 'parley:tracing', AUDIO_EXPIRY,
  'parley:exemplars', WORDS_REQUESTS,
}) do
  if not redis.acl_check_cmd('DEL', key) then table.insert(missing, 'write ' .. key) end
end
return missing
