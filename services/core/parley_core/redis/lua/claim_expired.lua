-- Jobs whose retention is over, each claimed for a while so that several keepers share the work. ARGV: limit claim_ms
local found = redis.call('ZRANGE', 'parley:expiry', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, id in ipairs(found) do redis.call('ZADD', 'parley:expiry', int(now + ARGV[2]), id) end
return found
