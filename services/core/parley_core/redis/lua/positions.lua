-- How many jobs of its queue are before each job: running, published, or with an earlier turn. ARGV: id...
-- -1 for one that does not wait. Turns of other tenants follow from their virtual times and the mean cost of their jobs.
-- With more than SAMPLED tenants before it, those not looked at count as the mean of the others: a call stays short.
local SAMPLED = 50

local function line_of(queue, tenant)
  local jobs = redis.call('ZCARD', line_key(queue, tenant))
  local total = tonumber(redis.call('HGET', line_cost_key(queue), tenant) or '0')
  return jobs, math.max(1, total / math.max(1, jobs))
end

-- How many jobs of a tenant have their turn before a virtual time; at the same time, the lower name is first.
local function before(queue, tenant, begin, time, lower)
  local jobs, mean = line_of(queue, tenant)
  local turns = (time - begin) / mean
  local number = math.ceil(turns)
  if number == turns and lower then number = number + 1 end
  return math.min(jobs, number)
end

local function before_all(queue, own, time)
  local order = redis.call('ZRANGE', order_key(queue), '-inf', int(time), 'BYSCORE', 'LIMIT', 0, SAMPLED, 'WITHSCORES')
  local sampled, sum = 0, 0
  for index = 1, #order, 2 do
    local tenant = order[index]
    if tenant ~= own then
      sampled = sampled + 1
      sum = sum + before(queue, tenant, tonumber(order[index + 1]), time, tenant < own)
    end
  end
  if #order < 2 * SAMPLED then return sum end
  local others = redis.call('ZCOUNT', order_key(queue), '-inf', int(time)) - 1
  return math.floor(sum / sampled * others)
end

local positions = {}
for _, id in ipairs(ARGV) do
  local job = read(id, 'state', 'queue', 'tenant')
  local position = -1
  if job[1] == 'accepted' or job[1] == 'queued' then
    local queue, tenant = job[2], job[3]
    local published = redis.call('ZRANK', waiting_key(queue), id)
    local rank = redis.call('ZRANK', line_key(queue, tenant), id)
    position = redis.call('ZCARD', leases_key(queue))
    if published then
      position = position + published
    elseif rank then
      local _, mean = line_of(queue, tenant)
      local begin = tonumber(redis.call('ZSCORE', order_key(queue), tenant) or '0')
      position = position + redis.call('ZCARD', waiting_key(queue)) + rank
        + before_all(queue, tenant, math.floor(begin + rank * mean))
    end
  end
  table.insert(positions, position)
end
return positions
