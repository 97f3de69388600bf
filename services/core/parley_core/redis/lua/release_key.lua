-- Drop a reservation that led to no job. ARGV: key holder
if redis.call('HGET', ARGV[1], 'holder') == ARGV[2] then redis.call('DEL', ARGV[1]) end
return 'ok'
