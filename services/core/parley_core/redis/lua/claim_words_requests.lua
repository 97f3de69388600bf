-- Requests for words to publish now, each claimed for a while: its message is on its way. ARGV: claim_ms queue...
-- Those of a worker that has not renewed in time are among them. At most half of the slots of all workers are theirs, so
-- that a slow recogniser leaves the other half to new recordings.
local slots = 0
for index = 2, #ARGV do slots = math.max(slots, capacity_of(ARGV[index])) end
local room = math.max(1, math.floor(slots / 2)) - redis.call('ZCOUNT', WORDS_REQUESTS, '(' .. int(now), '+inf')
if room <= 0 then return {} end
local found = {}
for _, id in ipairs(redis.call('ZRANGE', WORDS_REQUESTS, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, room)) do
  local job = read(id, 'queue', 'limits', 'words:attempts', 'token', 'words:worker')
  if job[3] then
    redis.call('ZADD', WORDS_REQUESTS, int(now + ARGV[1]), id)
    redis.call('HDEL', job_key(id), 'words:worker')
    table.insert(found, {id, job[1], job[2], job[3], job[4], job[5] or ''})
  else
    redis.call('ZREM', WORDS_REQUESTS, id)
  end
end
return found
