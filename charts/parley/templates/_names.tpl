{{/* Names of all objects, one helper each. No other file spells a name. */}}

{{- define "parley.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains "parley" .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-parley" .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "parley.api.name" -}}{{ include "parley.fullname" . }}-api{{- end -}}
{{- define "parley.api.keysSecret" -}}{{ .Values.api.existingKeysSecret | default (printf "%s-api-keys" (include "parley.fullname" .)) }}{{- end -}}
{{- define "parley.keeper.name" -}}{{ include "parley.fullname" . }}-keeper{{- end -}}
{{- define "parley.flower.name" -}}{{ include "parley.fullname" . }}-flower{{- end -}}
{{- define "parley.flower.hasVolume" -}}
{{- $enabled := .Values.flower.persistence.enabled -}}
{{- if or (eq (toString $enabled) "true") (and (eq (toString $enabled) "auto") (ne .Values.redis.mode "external")) -}}
true
{{- end -}}
{{- end -}}
{{- define "parley.flower.secret" -}}{{ .Values.flower.existingSecret | default (include "parley.flower.name" .) }}{{- end -}}
{{- define "parley.redis.name" -}}{{ include "parley.fullname" . }}-redis{{- end -}}
{{/* A change of the mode makes a new StatefulSet: names of pods and services differ. The keeper restores the record. */}}
{{- define "parley.redis.statefulSet" -}}{{ include "parley.redis.name" . }}{{ ternary "-ha" "" (eq .Values.redis.mode "sentinel") }}{{- end -}}
{{- define "parley.redis.configMap" -}}{{ include "parley.redis.name" . }}-config{{- end -}}
{{- define "parley.redis.secret" -}}
{{- if ne .Values.redis.mode "external" -}}
{{ .Values.redis.existingSecret | default (include "parley.redis.name" .) }}
{{- else -}}
{{ .Values.redis.external.existingSecret }}
{{- end -}}
{{- end -}}
{{- define "parley.keda.authentication" -}}{{ include "parley.fullname" . }}-keda{{- end -}}
{{- define "parley.objects.name" -}}{{ include "parley.fullname" . }}-objects{{- end -}}
{{- define "parley.objects.secret" -}}{{ .Values.objects.embedded.existingSecret | default (include "parley.objects.name" .) }}{{- end -}}
{{- define "parley.objects.claim" -}}{{ .Values.objects.volume.existingClaim | default (include "parley.objects.name" .) }}{{- end -}}
{{- define "parley.serviceAccount" -}}{{ include "parley.fullname" . }}{{- end -}}
{{- define "parley.alerts.name" -}}{{ include "parley.fullname" . }}-alerts{{- end -}}
{{- define "parley.alertmanager.name" -}}{{ include "parley.fullname" . }}-alertmanager{{- end -}}
{{- define "parley.objectives.name" -}}{{ include "parley.fullname" . }}-objectives{{- end -}}
{{/* Takes (dict "root" $ "board" "overview"). */}}
{{- define "parley.dashboard.name" -}}{{ include "parley.fullname" .root }}-dashboard-{{ .board }}{{- end -}}
{{- define "parley.test.name" -}}{{ include "parley.fullname" . }}-test{{- end -}}
{{/* Takes (dict "root" $ "worker" <entry of workers>). */}}
{{- define "parley.worker.name" -}}{{ include "parley.fullname" .root }}-worker-{{ .worker.name }}{{- end -}}
