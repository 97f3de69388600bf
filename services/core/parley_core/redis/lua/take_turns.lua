-- The next jobs of all queues to publish, in fair order, each claimed for a while. ARGV: id limit claim_ms queue...
-- `id` is a job that was accepted, or empty: it waits in the order of its queue from now on.
local id = ARGV[1]
if id ~= '' and redis.call('HGET', job_key(id), 'state') == 'accepted' then enqueue(id) end
local found = {}
for index = 4, #ARGV do take_turns(ARGV[index], tonumber(ARGV[2]), ARGV[3], found) end
return found
