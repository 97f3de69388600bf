{{/* "true" where the objects of the Prometheus operator are created; takes (dict "root" $ "wanted" "auto"). */}}
{{- define "parley.monitored" -}}
{{- if or (eq .wanted "always") (and (eq .wanted "auto") (.root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}true{{- end -}}
{{- end -}}
