-- Extend the lease and write progress, which never shrinks during an attempt.
-- ARGV: id nonce lease_ms phase progress
-- A renewal goes neither into the append-only file nor to replicas: there is one a second for every running job. A
-- server that has lost it gives every lease a whole lease of grace, see lapsed_leases.
local held = holding(ARGV[1], ARGV[2])
if held ~= 'held' then return held end
redis.set_repl(redis.REPL_NONE)
local key, progress = job_key(ARGV[1]), ARGV[5]
local before = redis.call('HMGET', key, 'phase', 'progress', 'queue')
if tonumber(before[2]) > tonumber(progress) then progress = before[2] end
redis.call('ZADD', leases_key(before[3]), int(now + ARGV[3]), ARGV[1])
if before[1] ~= ARGV[4] or before[2] ~= progress then
  redis.call('HSET', key, 'phase', ARGV[4], 'progress', progress, 'progressed_at', int(now))
  if part_of(tonumber(before[2])) < part_of(tonumber(progress)) then
    local pace = pace_of(before[3])
    if pace then note_estimate(ARGV[1], remaining(pace, ARGV[1])) end
  end
  if before[1] ~= ARGV[4] then trace(ARGV[1], 'phase ' .. int(now) .. ' ' .. ARGV[4]) end
  changed(ARGV[1])
end
return held
