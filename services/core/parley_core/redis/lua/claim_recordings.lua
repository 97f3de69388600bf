-- Ended jobs whose recording goes before the rest, each claimed for a while. ARGV: limit claim_ms
-- parley:removing keeps since when a recording should be gone, as for whole jobs.
local found = {}
local due = redis.call('ZRANGE', AUDIO_EXPIRY, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
for index = 1, #due, 2 do
  local id = due[index]
  if ENDED[read(id, 'state')[1]] then
    redis.call('ZADD', AUDIO_EXPIRY, int(now + ARGV[2]), id)
    redis.call('ZADD', 'parley:removing', 'NX', due[index + 1], audio_member(id))
    table.insert(found, id)
  else
    unlist_recording(id)
  end
end
return found
