{{/*
Access list with one line per role, and the fewest commands and keys with which the tests of processes pass
(PARLEY_TEST_ROLES, see tests/support/roles.py). A script needs the rights of its user for each of its calls.
Keys of the record are parley:*, the others are queues and keys of Celery's transport. No role may list keys.
write-acl.sh turns users on, with the hashes of their passwords.
*/}}

{{- define "parley.redis.acl.connection" -}}
-@all +ping +select +info +time +client|setinfo +client|setname +evalsha +script|load +multi +exec +discard
{{- end -}}

{{/* What every transition of a job may touch. */}}
{{- define "parley.redis.acl.transitions" -}}
~parley:job:* ~parley:events:* ~parley:unfinished:* ~parley:waiting:* ~parley:order:* ~parley:order_cost:* ~parley:virtual_times:* ~parley:pace:* ~parley:usage:* ~parley:leases:* ~parley:jobs:* ~parley:deliveries:* ~parley:outbox ~parley:words_requests ~parley:engines ~parley:running ~parley:stats ~parley:stored_bytes ~parley:tenants ~parley:due ~parley:expiry ~parley:audio_expiry ~parley:started:* ~parley:probe ~parley:trace:* ~parley:traces ~parley:tracing ~parley:exemplars resetchannels &parley:changed +del +exists +get +hdel +hexists +hget +hgetall +hincrby +hlen +hmget +hset +hsetnx +lrange +ltrim +pexpire +publish +rpush +sadd +scard +set +sismember +zadd +zcard +zrange +zrem +zscore +zrank +zcount
{{- end -}}

{{/* Publish a job: its message, and the binding of its queue. */}}
{{- define "parley.redis.acl.publish" -}}
~interactive* ~batch* ~_kombu.binding* &/0.celery* +lpush +llen +sadd +smembers +publish
{{- end -}}

{{/*
Nobody can log in as `default`. Redis 7 and Valkey 8 load transactions of the append-only file with its rights: without them,
a restart would lose what transitions have written since the last rewrite of the file.
*/}}
{{- define "parley.redis.acl" -}}
{{- $connection := include "parley.redis.acl.connection" . -}}
{{- $jobs := printf "%s %s %s" $connection (include "parley.redis.acl.transitions" .) (include "parley.redis.acl.publish" .) -}}
user default off resetpass sanitize-payload resetchannels ~* +@all
user probe resetchannels -@all +ping +info
user api {{ $jobs }} ~parley:purged:* ~parley:references:* ~parley:removing ~parley:idempotency:* ~parley:voiceprints:* ~parley:voiceprint_expiry %R~parley:workers:* %R~parley:history ~parley:limits:* +incrby +pttl +rename +zrevrange +subscribe +unsubscribe
user keeper {{ $jobs }} ~parley:purged:* ~parley:references:* ~parley:removing ~parley:renewals ~parley:service ~parley:history ~parley:voiceprints:* ~parley:voiceprint_expiry ~parley:batch:* %R~parley:workers:* +zscan
user worker {{ $jobs }} ~parley:workers:* %R~parley:removing ~unacked* ~*.celery.pidbox* &/0.celery.pidbox +zremrangebyscore +zrangebyscore +zrevrangebyscore +brpop +rpop +srem +script|exists +subscribe +psubscribe +unsubscribe +punsubscribe
user flower ~_kombu.binding* ~unacked* ~celery* ~*.celery.pidbox* %R~interactive* %R~batch* resetchannels &/0.celery.pidbox &/0.celeryev/* +@all -@admin -@dangerous -@scripting -scan -randomkey +info +evalsha +script|load +script|exists
user keda ~parley:unfinished:* resetchannels -@all +@connection +eval +evalsha +type +zcard +llen +scard +hlen -client|kill -client|list
{{- if eq .Values.redis.mode "sentinel" }}
user replica resetchannels -@all +psync +replconf +ping
user sentinel allchannels -@all +multi +exec +ping +info +role +publish +subscribe +slaveof +replicaof +failover +config|rewrite +client|setname +client|kill +client|pause +client|unpause +script|kill
{{- end }}
{{- end -}}
