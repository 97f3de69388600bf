{{/* Address and password file of Redis for one role; takes (dict "root" $ "role" "api"). */}}
{{- define "parley.redis.environment" -}}
{{- $external := .root.Values.redis.external -}}
{{- if eq .root.Values.redis.mode "sentinel" -}}
- {name: PARLEY_REDIS_URL, value: "redis{{ if .root.Values.tls.enabled }}s{{ end }}+sentinel://{{ .role }}@{{ include "parley.redis.sentinels" .root }}/parley/0?sentinel_user=client"}
- {name: PARLEY_SENTINEL_PASSWORD_FILE, value: /etc/parley/redis/sentinel-password}
{{- else if eq .root.Values.redis.mode "single" -}}
- {name: PARLEY_REDIS_URL, value: "redis{{ if .root.Values.tls.enabled }}s{{ end }}://{{ .role }}@{{ include "parley.redis.name" .root }}:6379/0"}
{{- else -}}
{{- $user := ternary (printf "%s@" $external.username) "" (not (empty (and $external.existingSecret $external.username))) -}}
- {name: PARLEY_REDIS_URL, value: "{{ ternary "rediss" "redis" $external.tls.enabled }}://{{ $user }}{{ $external.host }}:{{ $external.port }}/{{ $external.database }}{{ include "parley.redis.tlsQuery" .root }}"}
{{- end }}
{{- with include "parley.tls.clientEnvironment" .root }}
{{ . }}
{{- end }}
{{- if include "parley.redis.secret" .root }}
- {name: PARLEY_REDIS_PASSWORD_FILE, value: /etc/parley/redis/password}
{{- end -}}
{{- end -}}

{{/* Query of a Redis URL that redis-py and kombu both understand. */}}
{{- define "parley.redis.tlsQuery" -}}
{{- if .Values.redis.external.tls.enabled -}}
?ssl_cert_reqs=required{{- if .Values.redis.external.tls.caSecret }}&ssl_ca_certs=/etc/parley/redis/ca.crt{{- end -}}
{{- end -}}
{{- end -}}

{{/* The password of one role and the certificate of the authority, as files; takes (dict "root" $ "role" "api"). */}}
{{- define "parley.redis.volume" -}}
{{- $redis := .root.Values.redis -}}
{{- $external := eq $redis.mode "external" -}}
{{- $secret := include "parley.redis.secret" .root -}}
{{- $sources := list -}}
{{- if $secret -}}
{{- $key := ternary "password" (printf "%s-password" .role) $external -}}
{{- $items := list (dict "key" $key "path" "password") -}}
{{- if eq $redis.mode "sentinel" }}{{ $items = append $items (dict "key" "client-password" "path" "sentinel-password") }}{{ end -}}
{{- $sources = append $sources (dict "secret" (dict "name" $secret "items" $items)) -}}
{{- end -}}
{{- if and $external $redis.external.tls.enabled $redis.external.tls.caSecret -}}
{{- $items := list (dict "key" "ca.crt" "path" "ca.crt") -}}
{{- $sources = append $sources (dict "secret" (dict "name" $redis.external.tls.caSecret "items" $items)) -}}
{{- end -}}
{{- if $sources -}}
- name: redis-login
  projected: {defaultMode: 0440, sources: {{ $sources | toJson }}}
{{- end -}}
{{- end -}}
{{- define "parley.redis.mount" -}}
{{- if include "parley.redis.volume" . -}}
- {name: redis-login, mountPath: /etc/parley/redis, readOnly: true}
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
{{- end -}}

{{/* Options of redis-cli. */}}
{{- define "parley.redis.cli" -}}
redis-cli{{ if .Values.tls.enabled }} --tls --cacert /etc/parley/tls/ca.crt{{ end }}
{{- end -}}

{{/* The same for servers from before TLS was switched on or off. */}}
{{- define "parley.redis.otherCli" -}}
redis-cli{{ if not .Values.tls.enabled }} --tls --insecure{{ end }}
{{- end -}}

{{/* A command that asks the server of this container as the user `probe`; takes (dict "root" $ "port" 6379). */}}
{{- define "parley.redis.ping" -}}
REDISCLI_AUTH=$(cat /etc/parley/own/probe-password) {{ include "parley.redis.cli" .root }}{{ if ne (.port | int) 6379 }} -p {{ .port }}{{ end }} --user probe --no-auth-warning -e ping >/dev/null 2>&1
{{- end -}}

{{/* Settings of a server or a Sentinel, as lines of its configuration; takes (dict "root" $ "port" 6379). */}}
{{- define "parley.redis.listen" -}}
{{- if .root.Values.tls.enabled -}}
port 0
tls-port {{ .port }}
tls-cert-file /etc/parley/tls/tls.crt
tls-key-file /etc/parley/tls/tls.key
tls-ca-cert-file /etc/parley/tls/ca.crt
tls-auth-clients no
tls-replication yes
{{- else -}}
port {{ .port }}
{{- end -}}
{{- end -}}

{{/* Names of the users that have a password, as a JSON array. */}}
{{- define "parley.redis.roles" -}}
{{- $roles := list "probe" "api" "keeper" "worker" "flower" "keda" -}}
{{- if eq .Values.redis.mode "sentinel" }}{{ $roles = concat $roles (list "replica" "sentinel" "client") }}{{ end -}}
{{ $roles | toJson }}
{{- end -}}

{{/* Access list of the Sentinels. A client may ask for the primary and hear of a new one; only Sentinels fail over. */}}
{{- define "parley.redis.sentinelACL" -}}
user default off nopass sanitize-payload resetchannels -@all
user probe resetchannels -@all +ping
user client resetchannels &+switch-master &+slave-reconf-done -@all +@connection -client|kill -client|list +info +role +subscribe +psubscribe +unsubscribe +sentinel|masters +sentinel|master +sentinel|get-master-addr-by-name +sentinel|sentinels +sentinel|replicas +sentinel|slaves
user sentinel allchannels +@all
{{- end -}}
