-- Shared by every transition; scripts.py puts it in front of each file of this folder.
-- Times are milliseconds of the server's own clock, so no other clock can do harm.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local EVENTS_KEPT = 200 -- of an unfinished job; a client that slept longer reads the record instead
local TENANTS_COUNTED = 100 -- with counters of their own; what more tenants do is counted as that of `other`
local BUCKETS = { -- upper bounds; those of the objectives in the chart's values must be among them
  wait_seconds = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200},
  run_seconds = {0.5, 1, 2.5, 5, 15, 60, 300, 900, 1800, 3600, 7200},
  decode_seconds = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300},
  engine_seconds = {0.5, 1, 2.5, 5, 15, 60, 300, 900, 1800, 3600, 7200},
  result_seconds = {1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400},
  result_audio_ratio = {0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100},
  job_attempts = {0, 1, 2, 3, 4},
  cancel_seconds = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
}
local TRACES_KEPT = 10000 -- that wait for the collector of traces; what more ends then is counted and not traced
local TRACE_LINES = 200 -- of one run
local TRACE_MS = 2 * 86400000 -- how long an entry waits at most
local TRACED_AGAIN_MS = 600000 -- an older end that is restored was sent before it was lost
local PHASES = {'decoding', 'segmentation', 'embedding', 'clustering', 'transcription', 'storing'}
local MESSAGES_WITHOUT_WORKERS = 4 -- per queue: what the first worker finds at once
local LINE_MS = 600000 -- after which a job that still waits for its turn is checked
local JOB_COST_MS = 5000 -- of every job besides its audio: start, storing, bookkeeping
local USAGE_KEPT_MS = 400 * 86400000 -- a year and a month, so that the same month of two years can be compared
local ENDED = {succeeded = true, failed = true, cancelled = true}

-- Identity of this server's process and of its replication history.
local function server_identity()
  local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
  return (info:match('run_id:(%w+)') or '') .. ':' .. (info:match('master_replid:(%w+)') or '')
end

local function int(x) return string.format('%d', x) end
local function job_key(id) return 'parley:job:' .. id end
local function events_key(id) return 'parley:events:' .. id end
local function purged_key(id) return 'parley:purged:' .. id end
local function unfinished_key(queue) return 'parley:unfinished:' .. queue end
local function waiting_key(queue) return 'parley:waiting:' .. queue end
local function leases_key(queue) return 'parley:leases:' .. queue end
local function order_key(queue) return 'parley:order:' .. queue end
local function line_key(queue, tenant) return 'parley:order:' .. queue .. ':' .. tenant end
local function line_cost_key(queue) return 'parley:order_cost:' .. queue end
local function virtual_key(queue) return 'parley:virtual_times:' .. queue end
local function listed_key(tenant, queue, state) return 'parley:jobs:' .. tenant .. ':' .. queue .. ':' .. state end
local function deliveries_key(tenant) return 'parley:deliveries:' .. tenant end
local function delivery_field(run, name) return 'delivery:' .. run .. ':' .. name end
local function usage_key(tenant, day) return 'parley:usage:' .. tenant .. ':' .. int(day) end
local WORDS_REQUESTS = 'parley:words_requests' -- by the time from which a worker may take them
local STORED_BYTES = 'parley:stored_bytes' -- of recordings, by tenant
local AUDIO_EXPIRY = 'parley:audio_expiry' -- when the recording of an ended job goes before the rest
local function trace_key(id, run) return 'parley:trace:' .. id .. ':' .. run end
local function references_key(tenant) return 'parley:references:' .. tenant end
local function pace_key(queue) return 'parley:pace:' .. queue end
local function ratios_key(queue, moment) return 'parley:pace:' .. queue .. ':' .. moment end
local function arrivals_key(queue) return 'parley:pace:' .. queue .. ':arrivals' end
local learn, unlearn -- in estimates.lua

-- Jobs of one reference lie side by side, in the order of their ids. queries.py builds the same text.
local function reference_member(reference, id) return redis.sha1hex(reference):sub(1, 16) .. ':' .. id end

-- Fields of a record. None for a key that holds no record: somebody's mistake must not stop all other jobs.
local function read(id, ...)
  local found = redis.pcall('HMGET', job_key(id), ...)
  return found.err and {} or found
end

local function count(name, by)
  redis.call('HINCRBY', 'parley:stats', name, by or 1)
end

-- The counter of the bucket that a sample falls into.
local function bucket_of(what, queue, value)
  local le = '+Inf'
  for _, bound in ipairs(BUCKETS[what]) do
    if value <= bound then le = tostring(bound); break end
  end
  return what .. '_bucket|le=' .. le .. '|queue=' .. queue
end

-- One histogram sample. Bucket counts are not cumulative here, the reader adds them up; the sum is in thousandths.
local function observe(what, queue, value)
  count(bucket_of(what, queue, value))
  count(what .. '_sum_ms|queue=' .. queue, int(math.max(value, 0) * 1000))
end

-- Count for a tenant. The number of tenants with counters of their own is bounded, and none loses them.
local function count_tenant(what, tenant, by)
  local known = redis.call('SISMEMBER', 'parley:tenants', tenant) == 1
  if not known and redis.call('SCARD', 'parley:tenants') < TENANTS_COUNTED then
    known = redis.call('SADD', 'parley:tenants', tenant) == 1
  end
  count(what .. '|tenant=' .. (known and tenant or 'other'), by)
end

-- Note a line for the trace of the job's run, if a keeper sends traces.
local function trace(id, line)
  if redis.call('EXISTS', 'parley:tracing') == 0 then return end
  local key = trace_key(id, redis.call('HGET', job_key(id), 'run'))
  local lines = redis.call('RPUSH', key, line)
  if lines == 1 then redis.call('PEXPIRE', key, TRACE_MS) end
  if lines > TRACE_LINES then redis.call('LTRIM', key, -TRACE_LINES, -1) end
end

-- Put an entry into the outbox from which the keeper sends traces; say whether there was room.
local function queue_trace(entry)
  if redis.call('EXISTS', 'parley:tracing') == 0 then return false end
  if redis.call('ZCARD', 'parley:traces') >= TRACES_KEPT then
    count('traces_dropped')
    return false
  end
  redis.call('ZADD', 'parley:traces', int(now), entry)
  redis.call('PEXPIRE', 'parley:traces', TRACE_MS)
  return true
end

-- What a job takes from its tenant's share of a queue: milliseconds of audio, and a constant, by the tenant's weight.
local function cost(id)
  local job = read(id, 'seconds', 'weight')
  return math.max(1, math.floor(((tonumber(job[1]) or 0) * 1000 + JOB_COST_MS) / (tonumber(job[2]) or 1)))
end

-- Note that a line has become longer (1) or shorter (-1) by a job. With a weight, its work is noted beside its cost.
local function change_line(id, queue, tenant, sign)
  local own, weight = cost(id), tonumber(read(id, 'weight')[1])
  redis.call('HINCRBY', line_cost_key(queue), tenant, int(sign * own))
  if weight then redis.call('HINCRBY', line_cost_key(queue), ':work:' .. tenant, int(sign * math.floor(own * weight))) end
end

-- The order of a queue. A job without a message stands in the line of its tenant, by the time it was accepted. The tenant
-- whose virtual time is lowest is next; its virtual time then grows by the cost of the job. A tenant that had no line
-- begins at the virtual time of the queue: nobody saves up a share, and nobody is behind for what others took.
local function line_up(id)
  local job = redis.call('HMGET', job_key(id), 'queue', 'tenant', 'accepted_at')
  local queue, tenant = job[1], job[2]
  if redis.call('ZADD', line_key(queue, tenant), job[3], id) == 1 then change_line(id, queue, tenant, 1) end
  local times = redis.call('HMGET', virtual_key(queue), ':now', tenant)
  local begin = math.max(tonumber(times[1] or '0'), tonumber(times[2] or '0'))
  redis.call('ZADD', order_key(queue), 'NX', int(begin), tenant)
end

local function leave_line(id, queue, tenant)
  if redis.call('ZREM', line_key(queue, tenant), id) == 0 then return end
  if redis.call('ZCARD', line_key(queue, tenant)) == 0 then
    redis.call('ZREM', order_key(queue), tenant)
    redis.call('HDEL', line_cost_key(queue), tenant, ':work:' .. tenant)
  else
    change_line(id, queue, tenant, -1)
  end
end

-- How many jobs the workers of a queue run at a time.
local function capacity_of(queue)
  local capacity = 0
  for _, member in ipairs(redis.call('ZRANGE', 'parley:workers:' .. queue, '(' .. int(now), '+inf', 'BYSCORE')) do
    capacity = capacity + member:match('^%d+')
  end
  return capacity
end

-- How many messages a queue may have that no worker has taken: one for each job that its workers run at a time. With
-- more, the order of messages would be that of arrival; with fewer, a worker would wait for its next one.
local function most_messages(queue)
  local capacity = capacity_of(queue)
  return capacity > 0 and capacity or MESSAGES_WITHOUT_WORKERS
end

-- Give the next jobs of a queue their turn, while it has room for messages. Each is claimed for a while: its caller
-- publishes it, or else the keeper does.
local function take_turns(queue, limit, claim_ms, found)
  local room = most_messages(queue) - redis.call('ZCARD', waiting_key(queue))
  while room > 0 and #found < limit do
    local first = redis.call('ZRANGE', order_key(queue), 0, 0, 'WITHSCORES')
    local tenant = first[1]
    if not tenant then return end
    local id = redis.call('ZRANGE', line_key(queue, tenant), 0, 0)[1]
    local job = id and read(id, 'state', 'limits', 'token') or {}
    if not id then -- a line that somebody has removed: `parley:due` brings its jobs back
      redis.call('ZREM', order_key(queue), tenant)
    else
      leave_line(id, queue, tenant)
    end
    if job[1] == 'accepted' or job[1] == 'queued' then
      local after = int(first[2] + cost(id))
      redis.call('HSET', virtual_key(queue), ':now', first[2], tenant, after)
      redis.call('ZADD', order_key(queue), 'XX', after, tenant)
      redis.call('HSET', job_key(id), 'turn', '1')
      redis.call('ZADD', 'parley:due', int(now + claim_ms), id)
      redis.call('ZADD', waiting_key(queue), int(now), id)
      table.insert(found, {id, queue, job[2], job[3]})
      room = room - 1
    end
  end
end

-- Tell those who watch: the events of an unfinished job (resumable), and a wake-up for processes that wait.
-- The end of a job is an event too; readers make it from the record, so that a finished job keeps no list.
local function changed(id)
  local number = redis.call('HINCRBY', job_key(id), 'events', 1)
  local job = redis.call('HMGET', job_key(id), 'state', 'progress', 'phase')
  if ENDED[job[1]] then
    redis.call('DEL', events_key(id))
  else
    local event = number .. ' ' .. int(now) .. ' ' .. job[1] .. ' ' .. job[2] .. ' ' .. (job[3] or '')
    redis.call('RPUSH', events_key(id), event)
    redis.call('LTRIM', events_key(id), -EVENTS_KEPT, -1)
  end
  redis.call('PUBLISH', 'parley:changed', id)
end

-- Write the record of an accepted job, and list it. Its fields are the arguments from `first` on, in pairs.
local function record(id, tenant, queue, created_at, first)
  redis.call('HSET', job_key(id), 'state', 'accepted', 'created_at', created_at, 'accepted_at', created_at,
    'token', '0', 'attempt', '0', 'progress', '0', 'run', '0', unpack(ARGV, first))
  redis.call('ZADD', listed_key(tenant, queue, 'accepted'), 0, id)
  count_tenant('tenant_jobs_accepted', tenant)
  count_tenant('tenant_unfinished', tenant)
  local bytes = redis.call('HGET', job_key(id), 'bytes')
  count('stored_recording_bytes|queue=' .. queue, bytes)
  redis.call('HINCRBY', STORED_BYTES, tenant, bytes)
  local reference = redis.call('HGET', job_key(id), 'reference')
  if reference then redis.call('ZADD', references_key(tenant), 0, reference_member(reference, id)) end
  redis.call('ZADD', unfinished_key(queue), created_at, id)
end

-- Change a job's state, and the list of its tenant's jobs that it is in. Lists are in the order of ids, which is that
-- of time.
local function enter(id, state)
  local job = redis.call('HMGET', job_key(id), 'tenant', 'queue', 'state')
  redis.call('ZREM', listed_key(job[1], job[2], job[3]), id)
  redis.call('ZADD', listed_key(job[1], job[2], state), 0, id)
  redis.call('HSET', job_key(id), 'state', state)
end

-- Member of `parley:removing` for the recording of a job; the whole job has its id.
local function audio_member(id) return id .. ':audio' end

-- The recording of a job is not to be removed any more before the rest.
local function unlist_recording(id)
  redis.call('ZREM', AUDIO_EXPIRY, id)
  redis.call('ZREM', 'parley:removing', audio_member(id))
end

-- A recording leaves the store: of a queue and a tenant, so many bytes.
local function uncount_recording(queue, tenant, bytes)
  count('stored_recording_bytes|queue=' .. queue, -bytes)
  if redis.call('HINCRBY', STORED_BYTES, tenant, -bytes) == 0 then redis.call('HDEL', STORED_BYTES, tenant) end
end

-- End the running attempt: its lease is over. An error is kept with it.
local function end_attempt(id, code, detail)
  local job = redis.call('HMGET', job_key(id), 'queue', 'attempt')
  local field = 'attempt:' .. job[2]
  redis.call('HSET', job_key(id), field .. ':ended_at', int(now))
  if code then redis.call('HSET', job_key(id), field .. ':code', code, field .. ':detail', detail) end
  redis.call('ZREM', leases_key(job[1]), id)
  local worker = redis.call('HGET', job_key(id), field .. ':worker')
  if redis.call('HINCRBY', 'parley:running', worker, -1) <= 0 then redis.call('HDEL', 'parley:running', worker) end
end

-- What a job with a result has taken. A restored end may lack an attempt or the time of a phase: that is left out.
local function observe_result(id, queue, attempt, ended)
  local job = redis.call('HMGET', job_key(id), 'accepted_at', 'seconds', 'attempt:' .. attempt .. ':started_at',
    'timing:decoding', 'timing:engine', 'timing:engine_cpu')
  local taken, audio = (ended - job[1]) / 1000, tonumber(job[2])
  observe('result_seconds', queue, taken)
  if audio > 0 then observe('result_audio_ratio', queue, taken / audio) end
  count('audio_ms|queue=' .. queue, int(audio * 1000))
  if job[3] then observe('run_seconds', queue, (ended - job[3]) / 1000) end
  if job[4] then observe('decode_seconds', queue, tonumber(job[4])) end
  if job[5] then observe('engine_seconds', queue, tonumber(job[5])) end
  if job[6] then count('engine_cpu_ms|queue=' .. queue, int(job[6] * 1000)) end
end

-- Add a run of a job to what its tenant has used on the UTC day of its end. Days are counted from 1970.
local function count_usage(id, state, ended)
  local job = redis.call('HMGET', job_key(id), 'tenant', 'queue', 'attempt', 'accepted_at', 'started_at', 'seconds',
    'timing:engine', 'timing:engine_cpu', 'transcribed')
  local key = usage_key(job[1], math.floor(ended / 86400000))
  local function add(name, by)
    if by > 0 then redis.call('HINCRBY', key, job[2] .. ':' .. name, int(by)) end
  end
  add(state, 1)
  add('attempts', tonumber(job[3]))
  if job[5] then add('wait_ms', job[5] - (job[4] or job[5])) end
  if state == 'succeeded' then
    add('audio_ms', job[6] * 1000)
    add('engine_ms', (job[7] or 0) * 1000)
    add('engine_cpu_ms', (job[8] or 0) * 1000)
    add('transcribed_ms', (job[9] or 0) * 1000)
  end
  redis.call('PEXPIRE', key, int(USAGE_KEPT_MS))
end

-- Count how a transcription went. Without a code it has given words, be they none.
local function count_transcription(queue, code)
  count('transcriptions|code=' .. (code or 'none') .. '|queue=' .. queue)
end

-- The words of an ended job are no longer asked for.
local function close_words_request(id)
  redis.call('HDEL', job_key(id), 'words:attempts', 'words:worker', 'words:nonce', 'words:progress')
  redis.call('ZREM', WORDS_REQUESTS, id)
end

-- Put the end of a job that has a callback into the outbox, from which the keeper delivers it.
local function queue_delivery(id)
  local job = redis.call('HMGET', job_key(id), 'callback_url', 'tenant', 'run', 'finished_at')
  if not job[1] then return end
  local delivery = id .. ':' .. job[3]
  redis.call('HSET', job_key(id), delivery_field(job[3], 'state'), 'pending', delivery_field(job[3], 'attempts'), '0')
  redis.call('ZADD', 'parley:outbox', int(now), delivery)
  redis.call('ZADD', deliveries_key(job[2]), job[4], delivery)
end

-- Queue the trace of the run that ends, with what the record holds: it may be purged before the trace is sent.
local function trace_end(id, state)
  local run = redis.call('HGET', job_key(id), 'run')
  if not queue_trace('end ' .. id .. ' ' .. run) then return end
  local fields = {'tenant', 'queue', 'traceparent', 'accepted_at', 'finished_at', 'seconds', 'bytes', 'media_type',
    'error_code', 'attempt'}
  for _, phase in ipairs(PHASES) do table.insert(fields, 'timing:' .. phase) end
  local values, document = redis.call('HMGET', job_key(id), unpack(fields)), {state = state, attempts = {}}
  for place, name in ipairs(fields) do document[name] = values[place] or nil end
  for number = 1, tonumber(document.attempt) do
    local field = 'attempt:' .. number
    local attempt = redis.call('HMGET', job_key(id), field .. ':worker', field .. ':started_at', field .. ':ended_at',
      field .. ':code')
    document.attempts[number] = {attempt[1], attempt[2], attempt[3], attempt[4]}
  end
  trace(id, cjson.encode(document))
end

-- End the job: state, indexes, retention, counters and samples in one.
local function finish(id, state, counter, finished_at)
  local job = redis.call('HMGET', job_key(id), 'queue', 'retain_seconds', 'attempt', 'tenant', 'retain_audio_seconds')
  observe('job_attempts', job[1], tonumber(job[3]))
  if state == 'succeeded' then
    observe_result(id, job[1], job[3], finished_at or now)
    local words = redis.call('HMGET', job_key(id), 'transcription', 'transcription_code')
    if words[1] then count_transcription(job[1], words[2]) end
  end
  count_usage(id, state, finished_at or now)
  learn(id, state, finished_at or now)
  count_tenant('tenant_jobs_ended', job[4])
  count_tenant('tenant_unfinished', job[4], -1)
  enter(id, state)
  redis.call('HSET', job_key(id), 'finished_at', int(finished_at or now))
  if tonumber(finished_at or now) > now - TRACED_AGAIN_MS then trace_end(id, state) end
  leave_line(id, job[1], job[4])
  redis.call('HDEL', job_key(id), 'phase', 'published_at', 'accepted_at', 'not_before', 'turn', 'progressed_at')
  redis.call('ZREM', unfinished_key(job[1]), id)
  redis.call('ZREM', waiting_key(job[1]), id)
  redis.call('ZREM', 'parley:due', id)
  redis.call('ZADD', 'parley:expiry', int((finished_at or now) + job[2] * 1000), id)
  if job[5] then redis.call('ZADD', AUDIO_EXPIRY, int((finished_at or now) + job[5] * 1000), id) end
  queue_delivery(id)
  count(counter)
  changed(id)
end

-- End the job as the object store has it: with the attempts, the error or the result in the arguments from `first` on.
-- What it counts was lost with the record, so it is counted again.
local function end_as(id, state, finished_at, token, code, first)
  local job = redis.call('HMGET', job_key(id), 'queue', 'token')
  if tonumber(token) > tonumber(job[2]) then
    count('attempts_started|queue=' .. job[1], int(token - job[2]))
    redis.call('HSET', job_key(id), 'token', token)
  end
  if ARGV[first] then redis.call('HSET', job_key(id), unpack(ARGV, first)) end
  local label = state == 'failed' and '|code=' .. code or ''
  finish(id, state, 'jobs_' .. state .. label .. '|queue=' .. job[1], finished_at)
end

-- An engine is kept once for all results that it made; a record names it.
local function keep_engine(id, name, document)
  if name == '' then return end
  if redis.call('HSETNX', 'parley:engines', name, document) == 1 then unlearn(id) end
  redis.call('HSET', job_key(id), 'engine', name)
end

-- Does the attempt with this nonce still own the job? 'held', 'cancelled' or 'lost'.
local function holding(id, nonce)
  local job = redis.call('HMGET', job_key(id), 'state', 'nonce')
  if job[2] ~= nonce then return 'lost' end
  if job[1] == 'running' then return 'held' end
  if job[1] == 'cancelled' then return 'cancelled' end
  return 'lost'
end
