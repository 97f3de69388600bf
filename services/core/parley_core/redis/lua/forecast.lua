-- How many jobs of its queue are before each job, and when it will end. ARGV: id...
local found = {}
for _, id in ipairs(ARGV) do table.insert(found, forecast_of(id, outlook(id))) end
return found
