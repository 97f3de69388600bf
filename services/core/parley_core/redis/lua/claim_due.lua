-- Jobs to publish now, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms queue...
-- A job that has had its turn (its attempt failed, its worker or its message was lost) is published at once. Others wait
-- for their turn, and stay due, so that no fault of the order can lose one.
local found = {}
for _, id in ipairs(redis.call('ZRANGE', 'parley:due', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local job = read(id, 'state', 'queue', 'limits', 'token', 'turn')
  if job[1] ~= 'accepted' and job[1] ~= 'queued' then
    redis.call('ZREM', 'parley:due', id)
  elseif job[5] then
    redis.call('ZADD', 'parley:due', int(now + ARGV[2]), id)
    table.insert(found, {id, job[2], job[3], job[4]})
  else
    line_up(id)
    redis.call('ZADD', 'parley:due', int(now + LINE_MS), id)
  end
end
for index = 3, #ARGV do take_turns(ARGV[index], tonumber(ARGV[1]), ARGV[2], found) end
return found
