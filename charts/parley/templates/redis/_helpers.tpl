{{/* PARLEY_REDIS_URL for one role; takes (dict "root" $ "role" "api"). */}}
{{- define "parley.redis.environment" -}}
{{- $external := .root.Values.redis.external -}}
{{- if .root.Values.redis.enabled -}}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "parley.redis.secret" .root }}, key: {{ .role }}-password}}
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
{{- if and (not .Values.redis.enabled) .Values.redis.external.tls.enabled .Values.redis.external.tls.caSecret -}}
- name: redis-ca
  secret: {secretName: {{ .Values.redis.external.tls.caSecret }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end -}}
{{- end -}}
{{- define "parley.redis.caMount" -}}
{{- if include "parley.redis.caVolume" . -}}
- {name: redis-ca, mountPath: /etc/parley/redis, readOnly: true}
{{- end -}}
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
{{- end -}}
