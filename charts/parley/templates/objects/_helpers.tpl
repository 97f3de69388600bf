{{- define "parley.objects.environment" -}}
{{- $objects := .root.Values.objects -}}
{{- if eq $objects.kind "embedded" -}}
- {name: PARLEY_OBJECTS_URL, value: "s3://{{ $objects.embedded.bucket }}"}
- {name: PARLEY_OBJECTS_FLUSH_URL, value: "{{ include "parley.tls.scheme" .root }}://{{ include "parley.objects.name" .root }}:7071"}
- {name: AWS_ENDPOINT_URL, value: "{{ include "parley.tls.scheme" .root }}://{{ include "parley.objects.name" .root }}:7070"}
{{- if not .root.Values.tls.enabled }}
- {name: AWS_ALLOW_HTTP, value: "true"}
{{- end }}
- {name: AWS_REGION, value: us-east-1}
{{- else if eq $objects.kind "url" -}}
- {name: PARLEY_OBJECTS_URL, value: {{ $objects.url | quote }}}
{{- else -}}
- {name: PARLEY_OBJECTS_URL, value: "file:///var/lib/parley/objects"}
{{- end }}
{{- if include "parley.objects.login" . }}
- {name: PARLEY_OBJECTS_SECRETS_FOLDER, value: /etc/parley/objects}
{{- end -}}
{{- end -}}

{{/* "true" where each role has a key of its own in the embedded store. */}}
{{- define "parley.objects.embeddedRoles" -}}
{{- if and (eq .Values.objects.kind "embedded") .Values.objects.embedded.roles -}}true{{- end -}}
{{- end -}}

{{/* The Secret whose entries become files with the names of variables; empty without one. The four helpers from here on take
(dict "root" $ "role" "api"). */}}
{{- define "parley.objects.login" -}}
{{- $objects := .root.Values.objects -}}
{{- if eq $objects.kind "embedded" -}}
{{- $prefix := ternary (printf "%s-" .role) "" (eq (include "parley.objects.embeddedRoles" .root) "true") -}}
{secretName: {{ include "parley.objects.secret" .root }}, defaultMode: 0440, items: [{key: {{ $prefix }}access-key, path: AWS_ACCESS_KEY_ID}, {key: {{ $prefix }}secret-key, path: AWS_SECRET_ACCESS_KEY}]}
{{- else if eq $objects.kind "url" -}}
{{- with get $objects.existingSecrets .role | default $objects.existingSecret -}}
{secretName: {{ . }}, defaultMode: 0440}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "parley.objects.volume" -}}
{{- if eq .root.Values.objects.kind "volume" -}}
- name: objects
  persistentVolumeClaim: {claimName: {{ include "parley.objects.claim" .root }}}
{{- else if include "parley.objects.login" . -}}
- name: objects-login
  secret: {{ include "parley.objects.login" . }}
{{- end -}}
{{- end -}}
{{- define "parley.objects.mount" -}}
{{- if eq .root.Values.objects.kind "volume" -}}
- {name: objects, mountPath: /var/lib/parley/objects}
{{- else if include "parley.objects.login" . -}}
- {name: objects-login, mountPath: /etc/parley/objects, readOnly: true}
{{- end -}}
{{- end -}}
