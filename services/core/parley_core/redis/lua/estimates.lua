-- How long jobs take here, and when those that have not ended will end. Stands behind lib.lua in front of every script.
-- A queue keeps what it has learned in a few numbers, whatever the number of its jobs (ADR 28):
--   * its pace: the time of an attempt over the cost of its job, as a line over 1 / cost. Least squares of the last jobs.
--   * for some moments in the life of a job, the ratios of the time that was left to the time that had been estimated.
--   * how much work arrives, by tenant.

local MEMORY = 0.95 -- weight of what was known, when another job has ended: the last 20 jobs count
local MEMORY_OF_OTHERS = 3 -- jobs as which those of other engines count, when an engine is new
local JOBS_NEEDED = 5 -- before there is an estimate
local RATIOS_KEPT = 60 -- of each moment
local ASSUMED = {-0.7, -0.35, -0.1, 0.1, 0.35, 0.7} -- logarithms of ratios, beside the first RATIOS_ASSUMED real ones
local RATIOS_ASSUMED = 20
local FURTHEST = math.log(4) -- an attempt that is further from the expected time counts as this far
local ARRIVALS_MS = 1800000
local SAMPLED = 50 -- tenants, running jobs and messages looked at: a call stays short
-- Accepted with a free worker, with a wait of up to 4 jobs, of up to 16, longer; started, and a quarter each done.
local MOMENTS = {'free', 'line:0', 'line:1', 'line:2', 'part:0', 'part:1', 'part:2', 'part:3'}

-- The pace of a queue: seconds of an attempt by cost, and by job. None before enough jobs have ended.
local function pace_of(queue)
  local sums = redis.call('HMGET', pace_key(queue), 'jobs', 'weight', 'y', 'x', 'xx', 'xy')
  if (tonumber(sums[1]) or 0) < JOBS_NEEDED then return end
  local y, x, xx, xy = sums[3] / sums[2], sums[4] / sums[2], sums[5] / sums[2], sums[6] / sums[2]
  local by_job = (xy - x * y) / (xx - x * x + 0.01 * x * x) -- jobs of one length say nothing of the part by job
  local by_cost = y - by_job * x
  if by_cost < 0 then return {by_cost = 0, by_job = xy / xx} end
  local least = -JOB_COST_MS / 1000 -- of `by_job` over `by_cost`: a recording of no length takes no time
  if by_job < least * by_cost then
    by_cost = y / math.max(0.1, 1 + least * x) -- 0 if no recording has a length
    by_job = least * by_cost
  end
  return {by_cost = by_cost, by_job = by_job}
end

local function cost_seconds(seconds) return (tonumber(seconds) or 0) + JOB_COST_MS / 1000 end

local function expected(pace, cost, jobs) return math.max(0.001, pace.by_cost * cost + pace.by_job * jobs) end

local function part_of(progress) return math.min(3, math.floor(progress * 4)) end

-- Seconds from now of what was expected to take so long some seconds ago. What is overdue takes a tenth of it.
local function from_now(seconds, ago) return math.max(seconds - ago, seconds / 10) end

-- Expected seconds that the running attempt of a job needed when it last made progress, the moment that it was in, and
-- the seconds since then.
-- Progress is believed more than time, and a slower or faster attempt than expected the more, the further it is. An
-- attempt that goes on from a checkpoint has its progress from an earlier one, so that its speed is not known.
local function remaining(pace, id)
  local job = read(id, 'seconds', 'progress', 'attempt', 'token', 'progressed_at')
  local began = read(id, 'attempt:' .. (job[3] or '') .. ':started_at')[1]
  local whole, progress = expected(pace, cost_seconds(job[1]), 1), math.min(tonumber(job[2]) or 0, 1)
  local since = tonumber(job[5] or began or now) -- what has happened since is not known
  local speed = 1
  if job[4] == '1' and progress > 0 then
    speed = math.max(0.5, math.min(20, (since - (began or since)) / 1000 / (progress * whole))) ^ progress
  end
  return (1 - progress) * whole * speed, 'part:' .. part_of(progress), (now - since) / 1000
end

-- Work that has arrived lately, in seconds of workers: each second counts less, the longer ago it was.
local function arrived(text)
  local work, at = (text or ''):match('(%d+):(%d+)')
  return work and work / 1000 * math.exp(math.min(0, at - now) / ARRIVALS_MS) or 0
end

local function note_arrival(id, tenant, queue)
  local pace, key = pace_of(queue), arrivals_key(queue)
  if not pace then return end
  local work = expected(pace, cost_seconds(read(id, 'seconds')[1]), 1)
  local known = redis.call('HMGET', key, ':all', tenant)
  redis.call('HSET', key, ':all', int((arrived(known[1]) + work) * 1000) .. ':' .. int(now),
    tenant, int((arrived(known[2]) + work) * 1000) .. ':' .. int(now))
  redis.call('PEXPIRE', key, 10 * ARRIVALS_MS)
end

-- Seconds of work of other tenants that arrive in a second.
local function arrivals_of_others(queue, tenant)
  local known = redis.call('HMGET', arrivals_key(queue), ':all', tenant)
  return math.max(0, arrived(known[1]) - arrived(known[2])) / (ARRIVALS_MS / 1000)
end

-- A line of a tenant: number of jobs, mean cost by its weight, mean cost in seconds.
local function line_of(queue, tenant)
  local jobs = redis.call('ZCARD', line_key(queue, tenant))
  local sums = redis.call('HMGET', line_cost_key(queue), tenant, ':work:' .. tenant)
  local cost = tonumber(sums[1] or '0')
  return jobs, math.max(1, cost / math.max(1, jobs)), tonumber(sums[2] or cost) / 1000 / math.max(1, jobs)
end

-- How many jobs of other tenants have their turn before a virtual time, and what they cost in seconds. At the same time,
-- the lower name is first. With more than SAMPLED tenants, those not looked at count as the mean of the others.
local function others_before(queue, own, time)
  local order = redis.call('ZRANGE', order_key(queue), '-inf', int(time), 'BYSCORE', 'LIMIT', 0, SAMPLED, 'WITHSCORES')
  local sampled, sum, work = 0, 0, 0
  for index = 1, #order, 2 do
    local tenant = order[index]
    if tenant ~= own then
      local jobs, mean, seconds = line_of(queue, tenant)
      local turns = (time - order[index + 1]) / mean
      local number = math.ceil(turns)
      if number == turns and tenant < own then number = number + 1 end
      sampled = sampled + 1
      sum = sum + math.min(jobs, number)
      work = work + math.min(jobs, number) * seconds
    end
  end
  if #order < 2 * SAMPLED then return sum, work end
  local others = redis.call('ZCOUNT', order_key(queue), '-inf', int(time)) - 1
  return math.floor(sum / sampled * others), work / sampled * others
end

-- The work before a waiting job: jobs that run, rank among the messages that no worker has taken or their number, and
-- jobs that have their turn before it with their cost in seconds. Then what another tenant may still bring before it.
local function ahead_of(id, queue, tenant)
  local running = redis.call('ZCARD', leases_key(queue))
  local published = redis.call('ZRANK', waiting_key(queue), id)
  if published then return running, published, 0, 0, 0 end
  local rank = redis.call('ZRANK', line_key(queue, tenant), id)
  if not rank then return running, 0, 0, 0, 0 end
  local _, mean, seconds = line_of(queue, tenant)
  local begin = tonumber(redis.call('ZSCORE', order_key(queue), tenant) or '0')
  local turn = math.floor(begin + rank * mean)
  local others, work = others_before(queue, tenant, turn)
  local passed = turn - (tonumber(redis.call('HGET', virtual_key(queue), ':now')) or turn)
  local room = passed / 1000 * (redis.call('HLEN', arrivals_key(queue)) - 2) - work
  return running, redis.call('ZCARD', waiting_key(queue)), rank + others, rank * seconds + work, math.max(0, room)
end

local views = {} -- by queue: each is looked at once in a call

-- What the estimates of a queue have in common; none without a pace or without a worker.
--   free: seconds until each place of its workers is free, the soonest first; scale: places for each of these
--   messages: expected seconds of the jobs whose messages wait, in their order
local function view_of(queue)
  if views[queue] ~= nil then return views[queue] end
  views[queue] = false
  local pace, capacity = pace_of(queue), capacity_of(queue)
  if not pace or capacity == 0 then return false end
  local view = {pace = pace, free = {}, messages = {}, ratios = {}}
  for _, id in ipairs(redis.call('ZRANGE', leases_key(queue), 0, SAMPLED - 1)) do
    local seconds, _, ago = remaining(pace, id)
    table.insert(view.free, from_now(seconds, ago))
  end
  table.sort(view.free)
  local places = math.min(capacity, SAMPLED)
  while #view.free < places do table.insert(view.free, 1, 0) end
  while #view.free > places do table.remove(view.free) end -- workers that stop take no other job
  for _, id in ipairs(redis.call('ZRANGE', waiting_key(queue), 0, SAMPLED - 1)) do
    table.insert(view.messages, expected(pace, cost_seconds(read(id, 'seconds')[1]), 1))
  end
  view.scale = capacity / places
  views[queue] = view
  return view
end

-- Seconds until a worker takes the next job, after some messages and after jobs that take `work` seconds in all.
local function until_start(view, messages, jobs, work)
  local free = {unpack(view.free)}
  for index = 1, math.min(messages, #view.messages) do
    local ends, place = table.remove(free, 1) + view.messages[index] / view.scale, 1
    while free[place] and free[place] < ends do place = place + 1 end
    table.insert(free, place, ends)
  end
  if jobs == 0 then return free[1] end
  -- The work fills the places to one level. The next job starts before that: when the first of them is done, and the
  -- others are half through a job on average.
  local sum = 0
  for places, seconds in ipairs(free) do
    sum = sum + seconds
    local level = (work / view.scale + sum) / places
    if places == #free or level <= free[places + 1] then
      return math.max(free[1], level - (places - 1) / (2 * places) * work / jobs)
    end
  end
end

-- What is to be expected of a job:
--   position: number of jobs before it; -1 if it does not wait
--   seconds: until its end without the ratios; none if unknown
--   soonest: the same if no more work of other tenants arrives before it
--   moment: that it is in; ago: seconds since then
local function outlook(id)
  local job = read(id, 'state', 'queue', 'tenant', 'seconds', 'not_before')
  local waits = job[1] == 'accepted' or job[1] == 'queued'
  if not waits and job[1] ~= 'running' then return {position = -1} end
  local view = view_of(job[2])
  if not waits then
    if not view then return {position = -1} end
    local seconds, moment, ago = remaining(view.pace, id)
    return {position = -1, seconds = seconds, moment = moment, soonest = seconds, ago = ago}
  end
  local running, messages, jobs, cost, room = ahead_of(id, job[2], job[3])
  local position = running + messages + jobs
  if not view then return {position = position} end
  local work = jobs > 0 and expected(view.pace, cost, jobs) or 0
  local start = until_start(view, messages, jobs, work)
  local own = cost_seconds(job[4])
  local took = expected(view.pace, own, 1)
  local soonest = start + took
  if room > 0 then
    local places = #view.free * view.scale
    local share = math.min(0.9, arrivals_of_others(job[2], job[3]) / places)
    start = start + math.min(start * share / (1 - share), room * took / own / places)
  end
  local moment = start == 0 and 'free' or 'line:' .. (start < 4 * took and 0 or start < 16 * took and 1 or 2)
  start = math.max(start, ((tonumber(job[5]) or now) - now) / 1000)
  return {position = position, seconds = start + took, moment = moment, soonest = soonest, ago = 0}
end

-- Ratios of a moment at the probabilities 0.1, 0.5 and 0.9.
local function ratios_of(queue, moment)
  local ratios = views[queue].ratios
  if ratios[moment] then return unpack(ratios[moment]) end
  local known = redis.call('LRANGE', ratios_key(queue, moment), 0, -1)
  for index, text in ipairs(known) do known[index] = tonumber(text) end
  if #known < RATIOS_ASSUMED then
    for _, ratio in ipairs(ASSUMED) do table.insert(known, ratio) end
  end
  table.sort(known)
  local found = {}
  for _, probability in ipairs({0.1, 0.5, 0.9}) do
    local place = math.max(1, math.min(#known, probability * (#known + 1)))
    local low = math.floor(place)
    local high = math.min(#known, low + 1)
    table.insert(found, math.exp(known[low] + (place - low) * (known[high] - known[low])))
  end
  ratios[moment] = found
  return unpack(found)
end

-- Note what is estimated at this moment, so that the end of the job can tell how far it was off.
local function note_estimate(id, seconds, moment)
  redis.call('HSET', job_key(id), 'eta:' .. moment, int(now) .. ':' .. int(seconds * 1000))
end

-- What callers are told: position, then expected milliseconds until the end with the ends of the interval of 80 %; -1 if
-- unknown.
local function forecast_of(id, expected_end)
  local forecast = {expected_end.position, -1, -1, -1}
  local whole, soonest = expected_end.seconds, expected_end.soonest
  if not whole then return forecast end
  local low, middle, high = ratios_of(read(id, 'queue')[1], expected_end.moment)
  for index, seconds in ipairs({whole * middle, math.min(whole * low, soonest * middle), whole * high}) do
    forecast[index + 1] = math.floor(from_now(seconds, expected_end.ago) * 1000)
  end
  return forecast
end

-- An accepted job waits in the order of its queue from now on. Returns its outlook.
local function enqueue(id)
  redis.call('ZADD', 'parley:due', 'XX', int(now + LINE_MS), id)
  enter(id, 'queued')
  changed(id)
  local expected_end = outlook(id)
  if expected_end.seconds then note_estimate(id, expected_end.seconds, expected_end.moment) end
  return expected_end
end

-- Learn from a job that has ended: from a success the pace, if no part of it was done before, and the ratios.
learn = function(id, state, ended)
  local job = read(id, 'queue', 'token', 'seconds', 'attempt:1:started_at')
  local queue, fields = job[1], {}
  for _, moment in ipairs(MOMENTS) do table.insert(fields, 'eta:' .. moment) end
  local notes = redis.call('HMGET', job_key(id), unpack(fields))
  redis.call('HDEL', job_key(id), unpack(fields))
  if state ~= 'succeeded' then return end
  for index, moment in ipairs(MOMENTS) do
    local at, estimated = (notes[index] or ''):match('(%d+):(%d+)')
    if at then
      local ratio = math.log(math.max(1, ended - at) / math.max(1, tonumber(estimated)))
      redis.call('RPUSH', ratios_key(queue, moment), string.format('%.3f', ratio))
      redis.call('LTRIM', ratios_key(queue, moment), -RATIOS_KEPT, -1)
    end
  end
  if tonumber(job[2]) > 1 or not job[4] then return end
  local cost, pace = cost_seconds(job[3]), pace_of(queue)
  local took = math.max(0.001, (ended - job[4]) / 1000)
  if pace then
    local whole = expected(pace, cost, 1)
    local off = math.max(-FURTHEST, math.min(FURTHEST, math.log(took / whole)))
    took = whole * math.exp(off)
  end
  local x, y = 1 / cost, took / cost
  local sums, update = redis.call('HMGET', pace_key(queue), 'weight', 'y', 'x', 'xx', 'xy'), {}
  for index, value in ipairs({1, y, x, x * x, x * y}) do
    update[index] = string.format('%.9g', MEMORY * (tonumber(sums[index]) or 0) + value)
  end
  redis.call('HSET', pace_key(queue), 'weight', update[1], 'y', update[2], 'x', update[3], 'xx', update[4],
    'xy', update[5])
  redis.call('HINCRBY', pace_key(queue), 'jobs', 1)
end

-- A job of an engine that no result has named before: what is known of the pace counts little from now on.
unlearn = function(id)
  local queue = read(id, 'queue')[1]
  local sums = redis.call('HMGET', pace_key(queue), 'weight', 'y', 'x', 'xx', 'xy')
  local weight = tonumber(sums[1]) or 0
  if weight <= MEMORY_OF_OTHERS then return end
  for index, name in ipairs({'weight', 'y', 'x', 'xx', 'xy'}) do
    redis.call('HSET', pace_key(queue), name, string.format('%.9g', sums[index] * MEMORY_OF_OTHERS / weight))
  end
end
