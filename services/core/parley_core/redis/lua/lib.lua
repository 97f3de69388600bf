-- Shared by every move; scripts.py puts it in front of each file of this folder.
-- Times are milliseconds of the server's own clock, so no other clock can do harm.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local EVENTS_KEPT = 200 -- per job; a client that slept longer reads the record instead
local WAIT_BUCKETS = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200}
local RUN_BUCKETS = {0.5, 1, 2.5, 5, 15, 60, 300, 900, 1800, 3600, 7200}

local function int(x) return string.format('%d', x) end
local function job_key(id) return 'parley:job:' .. id end
local function purged_key(id) return 'parley:purged:' .. id end
local function unfinished_key(queue) return 'parley:unfinished:' .. queue end
local function waiting_key(queue) return 'parley:waiting:' .. queue end

local function count(name, by) redis.call('HINCRBY', 'parley:stats', name, by or 1) end

-- One histogram sample: bucket counts are not cumulative here, the reader adds them up.
local function observe(what, queue, milliseconds, buckets)
  local le = '+Inf'
  for _, bound in ipairs(buckets) do
    if milliseconds <= bound * 1000 then le = tostring(bound); break end
  end
  count(what .. '_bucket|le=' .. le .. '|queue=' .. queue)
  count(what .. '_sum_ms|queue=' .. queue, int(milliseconds))
  count(what .. '_count|queue=' .. queue)
end

-- Tell everyone who watches: the job's own stream (resumable) and a wake-up for processes that wait.
local function changed(id)
  local job = redis.call('HMGET', job_key(id), 'state', 'phase', 'progress')
  redis.call('XADD', 'parley:events:' .. id, 'MAXLEN', '~', EVENTS_KEPT, '*',
    'state', job[1], 'phase', job[2] or '', 'progress', job[3] or '0', 'at', int(now))
  redis.call('PUBLISH', 'parley:changed', id)
end

-- Nobody works on the job or waits for it any more.
local function leave_indexes(id, queue)
  redis.call('ZREM', unfinished_key(queue), id)
  redis.call('ZREM', waiting_key(queue), id)
  redis.call('ZREM', 'parley:due', id)
  redis.call('ZREM', 'parley:leases', id)
end

local function end_attempt(id, number, code, detail)
  local field = 'attempt:' .. number
  redis.call('HSET', job_key(id), field .. ':ended_at', int(now))
  if code then redis.call('HSET', job_key(id), field .. ':code', code, field .. ':detail', detail) end
end

-- The terminal move: state, indexes, retention and counter in one.
local function finish(id, state, counter)
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'queue', 'retain_seconds')
  redis.call('HSET', key, 'state', state, 'finished_at', int(now))
  redis.call('HDEL', key, 'phase')
  leave_indexes(id, job[1])
  redis.call('ZADD', 'parley:expiry', int(now + job[2] * 1000), id)
  count(counter)
  changed(id)
end

-- Does the attempt with this nonce still own the job? 'held', 'cancelled' or 'lost'.
local function holding(id, nonce)
  local job = redis.call('HMGET', job_key(id), 'state', 'nonce')
  if job[1] == 'running' and job[2] == nonce then return 'held' end
  if job[1] == 'cancelled' and job[2] == nonce then return 'cancelled' end
  return 'lost'
end

-- The attempts of a run as the object store keeps them: five arguments each, behind the first `skipped`.
local function write_attempts(id, skipped)
  local number = (#ARGV - skipped) / 5
  for attempt = 1, number do
    local at, field = skipped + 5 * (attempt - 1), 'attempt:' .. int(attempt)
    redis.call('HSET', job_key(id), field .. ':worker', ARGV[at + 1], field .. ':started_at', ARGV[at + 2])
    if ARGV[at + 3] ~= '' then redis.call('HSET', job_key(id), field .. ':ended_at', ARGV[at + 3]) end
    if ARGV[at + 4] ~= '' then
      redis.call('HSET', job_key(id), field .. ':code', ARGV[at + 4], field .. ':detail', ARGV[at + 5])
    end
  end
  redis.call('HSET', job_key(id), 'attempt', int(number))
end

-- A terminal state as the object store keeps it. What it counts was lost with the record, so it is counted again.
local function end_as(id, state, finished_at, started_at, token, code, detail, result, result_more)
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'queue', 'token', 'retain_seconds')
  if started_at ~= '' then redis.call('HSETNX', key, 'started_at', started_at) end
  if code ~= '' then redis.call('HSET', key, 'error_code', code, 'error_detail', detail) end
  if result ~= '' then redis.call('HSET', key, 'result', result, 'result_more', result_more, 'progress', '1') end
  if tonumber(token) > tonumber(job[2]) then
    count('attempts_started|queue=' .. job[1], int(token - job[2]))
    redis.call('HSET', key, 'token', token)
  end
  finish(id, state, 'jobs_' .. state .. (state == 'failed' and '|code=' .. code or '') .. '|queue=' .. job[1])
  redis.call('HSET', key, 'finished_at', finished_at)
  redis.call('ZADD', 'parley:expiry', int(finished_at + job[3] * 1000), id)
end
