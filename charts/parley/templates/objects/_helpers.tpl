{{- define "parley.objects.environment" -}}
{{- $objects := .root.Values.objects -}}
{{- if eq $objects.kind "embedded" -}}
- {name: PARLEY_OBJECTS_URL, value: "s3://{{ $objects.embedded.bucket }}"}
- {name: AWS_ENDPOINT_URL, value: "http://{{ include "parley.objects.name" .root }}:7070"}
- {name: AWS_ALLOW_HTTP, value: "true"}
- {name: AWS_REGION, value: us-east-1}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ include "parley.objects.secret" .root }}, key: access-key}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ include "parley.objects.secret" .root }}, key: secret-key}}
{{- else if eq $objects.kind "url" -}}
- {name: PARLEY_OBJECTS_URL, value: {{ $objects.url | quote }}}
{{- else -}}
- {name: PARLEY_OBJECTS_URL, value: "file:///var/lib/parley/objects"}
{{- end -}}
{{- end -}}

{{/* Environment of a store by URL: all entries of its Secret. */}}
{{- define "parley.objects.envFrom" -}}
{{- if and (eq .Values.objects.kind "url") .Values.objects.existingSecret -}}
envFrom:
  - secretRef: {name: {{ .Values.objects.existingSecret }}}
{{- end -}}
{{- end -}}

{{- define "parley.objects.volume" -}}
{{- if eq .Values.objects.kind "volume" -}}
- name: objects
  persistentVolumeClaim: {claimName: {{ include "parley.objects.claim" . }}}
{{- end -}}
{{- end -}}
{{- define "parley.objects.mount" -}}
{{- if eq .Values.objects.kind "volume" -}}
- {name: objects, mountPath: /var/lib/parley/objects}
{{- end -}}
{{- end -}}
