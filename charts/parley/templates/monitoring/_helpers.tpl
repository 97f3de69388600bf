{{/* "true" where the objects of the Prometheus operator are created; takes (dict "root" $ "wanted" "auto"). */}}
{{- define "parley.monitored" -}}
{{- if or (eq .wanted "always") (and (eq .wanted "auto") (.root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}true{{- end -}}
{{- end -}}

{{/* Links of an alert; takes (dict "root" $ "alert" "ParleyQueueFull" "dashboard" "parley"). */}}
{{- define "parley.alerts.links" -}}
{{- $alerts := .root.Values.monitoring.alerts -}}
{{- $variables := printf "var-namespace=%s&var-release=%s" .root.Release.Namespace .root.Release.Name -}}
runbook_url: {{ printf "%s#%s" $alerts.runbook (lower .alert) | quote }}
dashboard_url: {{ printf "%s/d/%s?%s" (trimSuffix "/" $alerts.grafana) .dashboard $variables | quote }}
{{- end -}}

{{/* Annotations by which a Prometheus without operator finds a pod; takes (dict "root" $ "port" 7002). */}}
{{- define "parley.scrapeAnnotations" -}}
{{- $monitors := .root.Values.monitoring.monitors -}}
{{- if and (eq $monitors "auto") (not (include "parley.monitored" (dict "root" .root "wanted" $monitors))) -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | int64 | quote }}
prometheus.io/path: /metrics
{{- if .root.Values.tls.enabled }}
prometheus.io/scheme: https
{{- end }}
{{- end -}}
{{- end -}}
