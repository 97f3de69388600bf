{{/* Objectives as recording rules and alerts, in the names and labels of Sloth, so that its dashboards show them. */}}

{{/* Routes without an objective: probes, streams, files, and requests of no route. */}}
{{- define "parley.objectives.unmeasured" -}}
/healthz|/livez|/readyz|/metrics|unmatched|/docs.*|.*[?]wait|.*/events|.*/audio
{{- end -}}

{{/* An expression of an objective; takes (dict "root" $ "text" "..." "objective" <its values>). */}}
{{- define "parley.objectives.expression" -}}
{{- $selector := printf "namespace=%q,release=%q" .root.Release.Namespace .root.Release.Name -}}
{{- $text := .text | replace "SELECTOR" $selector | replace "UNMEASURED" (include "parley.objectives.unmeasured" .) -}}
{{- $text = $text | replace "TARGET" (.objective.target | toString) -}}
{{- with .objective.queues }}{{ $text = $text | replace "QUEUES" (join "|" .) }}{{ end -}}
{{- with .objective.below }}{{ $text = $text | replace "BELOW" (. | int64 | toString) }}{{ end -}}
{{- $seconds := .objective.seconds | default dict -}}
{{- if kindIs "map" $seconds -}}
{{- range $queue, $limit := $seconds -}}
{{- $text = $text | replace (printf "%s_SECONDS" (upper $queue)) (include "parley.objectives.bound" $limit) -}}
{{- end -}}
{{- else -}}
{{- $text = $text | replace "OVER_SECONDS" (include "parley.objectives.bound" $seconds) -}}
{{- end -}}
{{- $text | trim -}}
{{- end -}}

{{/* A bound as the label `le` spells it: 600.0, 0.25. */}}
{{- define "parley.objectives.bound" -}}
{{- $text := . | float64 | toString -}}
{{- if contains "." $text }}{{ $text }}{{ else }}{{ $text }}.0{{ end -}}
{{- end -}}

{{/* One condition of an alert: two windows above a burn rate, and enough missed events in the longer one. These are
added up in steps of a minute: an average times the length would be too many while Prometheus has less than a window.
Takes (dict "labels" <matchers> "budget" 0.05 "least" 5 "factor" 14.4 "short" "5m" "long" "1h"). */}}
{{- define "parley.objectives.burning" -}}
slo:sli_error:ratio_rate{{ .long }}{{ .labels }} > {{ mulf .factor .budget }}
and slo:sli_error:ratio_rate{{ .short }}{{ .labels }} > {{ mulf .factor .budget }}
and 60 * sum_over_time(parley:slo_errors:rate5m{{ .labels }}[{{ .long }}:1m]) >= {{ .least }}
{{- end -}}
