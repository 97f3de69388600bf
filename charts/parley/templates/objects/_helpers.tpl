{{- define "parley.objects.environment" -}}
{{- $objects := .root.Values.objects -}}
{{- if eq $objects.kind "embedded" -}}
- {name: PARLEY_OBJECTS_URL, value: "s3://{{ $objects.embedded.bucket }}"}
- {name: PARLEY_OBJECTS_FLUSH_URL, value: "http://{{ include "parley.objects.name" .root }}:7071"}
- {name: AWS_ENDPOINT_URL, value: "http://{{ include "parley.objects.name" .root }}:7070"}
- {name: AWS_ALLOW_HTTP, value: "true"}
- {name: AWS_REGION, value: us-east-1}
{{- else if eq $objects.kind "url" -}}
- {name: PARLEY_OBJECTS_URL, value: {{ $objects.url | quote }}}
{{- else -}}
- {name: PARLEY_OBJECTS_URL, value: "file:///var/lib/parley/objects"}
{{- end }}
{{- if include "parley.objects.login" .root }}
- {name: PARLEY_OBJECTS_SECRETS_FOLDER, value: /etc/parley/objects}
{{- end -}}
{{- end -}}

{{/* The Secret whose entries become files with the names of variables; empty without one. */}}
{{- define "parley.objects.login" -}}
{{- if eq .Values.objects.kind "embedded" -}}
{secretName: {{ include "parley.objects.secret" . }}, defaultMode: 0440, items: [{key: access-key, path: AWS_ACCESS_KEY_ID}, {key: secret-key, path: AWS_SECRET_ACCESS_KEY}]}
{{- else if and (eq .Values.objects.kind "url") .Values.objects.existingSecret -}}
{secretName: {{ .Values.objects.existingSecret }}, defaultMode: 0440}
{{- end -}}
{{- end -}}

{{- define "parley.objects.volume" -}}
{{- if eq .Values.objects.kind "volume" -}}
- name: objects
  persistentVolumeClaim: {claimName: {{ include "parley.objects.claim" . }}}
{{- else if include "parley.objects.login" . -}}
- name: objects-login
  secret: {{ include "parley.objects.login" . }}
{{- end -}}
{{- end -}}
{{- define "parley.objects.mount" -}}
{{- if eq .Values.objects.kind "volume" -}}
- {name: objects, mountPath: /var/lib/parley/objects}
{{- else if include "parley.objects.login" . -}}
- {name: objects-login, mountPath: /etc/parley/objects, readOnly: true}
{{- end -}}
{{- end -}}
