{{/* PARLEY_REDIS_URL for one role; takes (dict "root" $ "role" "api"). */}}
{{- define "parley.redis.environment" -}}
{{- $external := .root.Values.redis.external -}}
{{- if ne .root.Values.redis.mode "external" -}}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "parley.redis.secret" .root }}, key: {{ .role }}-password}}
{{ end -}}
{{- if eq .root.Values.redis.mode "sentinel" -}}
- name: SENTINEL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "parley.redis.secret" .root }}, key: client-password}}
- {name: PARLEY_REDIS_URL, value: "redis+sentinel://{{ .role }}:$(REDIS_PASSWORD)@{{ include "parley.redis.sentinels" .root }}/parley/0?sentinel_user=client&sentinel_password=$(SENTINEL_PASSWORD)"}
{{- else if eq .root.Values.redis.mode "single" -}}
- {name: PARLEY_REDIS_URL, value: "redis://{{ .role }}:$(REDIS_PASSWORD)@{{ include "parley.redis.name" .root }}:6379/0"}
{{- else -}}
{{- $login := "" -}}
{{- if $external.existingSecret -}}
{{- $login = printf "%s:$(REDIS_PASSWORD)@" $external.username -}}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $external.existingSecret }}, key: password}}
{{ end -}}
- {name: PARLEY_REDIS_URL, value: "{{ ternary "rediss" "redis" $external.tls.enabled }}://{{ $login }}{{ $external.host }}:{{ $external.port }}/{{ $external.database }}{{ include "parley.redis.tlsQuery" .root }}"}
{{- end -}}
{{- end -}}

{{/* Query of a Redis URL that redis-py and kombu both understand. */}}
{{- define "parley.redis.tlsQuery" -}}
{{- if .Values.redis.external.tls.enabled -}}
?ssl_cert_reqs=required{{- if .Values.redis.external.tls.caSecret }}&ssl_ca_certs=/etc/parley/redis/ca.crt{{- end -}}
{{- end -}}
{{- end -}}

{{- define "parley.redis.caVolume" -}}
{{- if and (eq .Values.redis.mode "external") .Values.redis.external.tls.enabled .Values.redis.external.tls.caSecret -}}
- name: redis-ca
  secret: {secretName: {{ .Values.redis.external.tls.caSecret }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end -}}
{{- end -}}
{{- define "parley.redis.caMount" -}}
{{- if include "parley.redis.caVolume" . -}}
- {name: redis-ca, mountPath: /etc/parley/redis, readOnly: true}
{{- end -}}
{{- end -}}

{{/* Full names of the three pods of mode sentinel, as a JSON array. */}}
{{- define "parley.redis.hosts" -}}
{{- $hosts := list -}}
{{- $name := include "parley.redis.statefulSet" . -}}
{{- range until 3 -}}{{- $hosts = append $hosts (printf "%s-%d.%s.%s.svc" $name . $name $.Release.Namespace) -}}{{- end -}}
{{ $hosts | toJson }}
{{- end -}}
{{- define "parley.redis.sentinels" -}}
{{- $addresses := list -}}
{{- range include "parley.redis.hosts" . | fromJsonArray -}}{{- $addresses = append $addresses (printf "%s:26379" .) -}}{{- end -}}
{{ join "," $addresses }}
{{- end -}}

{{/* Environment of both containers of a pod: its own name, those of all, and that of the first primary. */}}
{{- define "parley.redis.podEnvironment" -}}
{{- $hosts := include "parley.redis.hosts" . | fromJsonArray -}}
- name: POD
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: HOST, value: "$(POD).{{ include "parley.redis.statefulSet" . }}.{{ .Release.Namespace }}.svc"}
- {name: HOSTS, value: {{ join " " $hosts | quote }}}
- {name: FIRST, value: {{ first $hosts | quote }}}
- name: SENTINEL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "parley.redis.secret" . }}, key: sentinel-password}}
{{- end -}}

{{/* Names of the users that have a password, as a JSON array. */}}
{{- define "parley.redis.roles" -}}
{{- $roles := list "probe" "api" "keeper" "worker" "flower" "keda" -}}
{{- if eq .Values.redis.mode "sentinel" }}{{ $roles = concat $roles (list "replica" "sentinel" "client") }}{{ end -}}
{{ $roles | toJson }}
{{- end -}}

{{/* Access list with one line per role. Keys of the record are parley:*, the others are queues and keys of Celery's
transport. No role may list keys, change the configuration, see other connections or flush scripts. */}}
{{- define "parley.redis.acl" -}}
{{- /* A script needs write access to its keys. KEDA gets it, but only commands that read. */ -}}
{{- $safe := "+@all -@admin -@dangerous +info -script +script|load +script|exists -function" -}}
user default off nopass sanitize-payload resetchannels -@all
user probe on #{{ sha256sum .probe }} resetchannels -@all +ping +info
user api on #{{ sha256sum .api }} ~parley:* ~interactive* ~batch* ~_kombu.binding* resetchannels &parley:changed &/0.celery* {{ $safe }}
user keeper on #{{ sha256sum .keeper }} ~parley:* ~interactive* ~batch* ~_kombu.binding* ~unacked* resetchannels &parley:changed &/0.celery* {{ $safe }}
user worker on #{{ sha256sum .worker }} ~parley:* ~interactive* ~batch* ~_kombu.binding* ~unacked* ~celery* ~*.celery.pidbox* allchannels {{ $safe }}
user flower on #{{ sha256sum .flower }} ~_kombu.binding* ~unacked* ~celery* ~*.celery.pidbox* %R~interactive* %R~batch* allchannels {{ $safe }}
user keda on #{{ sha256sum .keda }} ~parley:unfinished:* resetchannels -@all +@connection +eval +evalsha +type +zcard +llen +scard +hlen -client|kill -client|list
{{- if hasKey . "replica" }}
user replica on #{{ sha256sum .replica }} resetchannels -@all +psync +replconf +ping
user sentinel on #{{ sha256sum .sentinel }} allchannels -@all +multi +exec +ping +info +role +publish +subscribe +slaveof +replicaof +failover +config|rewrite +client|setname +client|kill +client|pause +client|unpause +script|kill
{{- end }}
{{- end -}}

{{/* Access list of the Sentinels. A client may ask for the primary and hear of a new one; only Sentinels fail over. */}}
{{- define "parley.redis.sentinelACL" -}}
user default off nopass sanitize-payload resetchannels -@all
user probe on #{{ sha256sum .probe }} resetchannels -@all +ping
user client on #{{ sha256sum .client }} resetchannels &+switch-master &+slave-reconf-done -@all +@connection -client|kill -client|list +info +role +subscribe +psubscribe +unsubscribe +sentinel|masters +sentinel|master +sentinel|get-master-addr-by-name +sentinel|sentinels +sentinel|replicas +sentinel|slaves
user sentinel on #{{ sha256sum .sentinel }} allchannels +@all
{{- end -}}
