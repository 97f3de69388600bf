-- How many jobs of its queue are before each job, and when it will end. ARGV: id...
-- Of each: position, then expected milliseconds until its end with the ends of the interval of 80 %; -1 if unknown.
local found = {}
for _, id in ipairs(ARGV) do
  local job = outlook(id)
  local forecast = {job.position, -1, -1, -1}
  if job.seconds then
    local low, middle, high = ratios_of(read(id, 'queue')[1], job.moment)
    local estimates = {job.seconds * middle, math.min(job.seconds * low, job.soonest * middle), job.seconds * high}
    for index, seconds in ipairs(estimates) do
      forecast[index + 1] = math.floor(from_now(seconds, job.ago) * 1000)
    end
  end
  table.insert(found, forecast)
end
return found
