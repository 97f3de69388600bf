{{/* Who gets which alert: the same routes and messages as an AlertmanagerConfig and as a file for Alertmanager. */}}

{{- define "parley.routing.title" -}}
{{ `{{ if eq .Status "firing" }}Firing{{ else }}Resolved{{ end }}: {{ .CommonLabels.alertname }} ({{ .CommonLabels.namespace }}/{{ .CommonLabels.release }})` }}
{{- end -}}

{{- define "parley.routing.summary" -}}
{{ `{{ range .Alerts }}{{ .Annotations.summary }} {{ end }}` }}
{{- end -}}

{{/* Slack's links are <url|text>. */}}
{{- define "parley.routing.slackText" -}}
{{ `{{ range .Alerts }}{{ .Annotations.summary }} {{ end }}<{{ .CommonAnnotations.runbook_url }}|Runbook> <{{ .CommonAnnotations.dashboard_url }}|Dashboard>` }}
{{- end -}}

{{- define "parley.routing.teamsText" -}}
{{ `{{ range .Alerts }}{{ .Annotations.summary }} {{ end }}[Runbook]({{ .CommonAnnotations.runbook_url }}) [Dashboard]({{ .CommonAnnotations.dashboard_url }})` }}
{{- end -}}

{{/* Labels that an inhibition compares; takes its entry of files/inhibition.yaml. */}}
{{- define "parley.routing.equal" -}}
{{ concat (list "namespace" "release") (.equal | default list) | toJson }}
{{- end -}}
