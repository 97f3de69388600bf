{{/* TLS inside the release: one Secret per component, with its certificate, its key and the authority that signed it. */}}

{{/* What makes the certificates: own (the chart), cert-manager, or given (a Secret of the operator). Empty without TLS. */}}
{{- define "parley.tls.source" -}}
{{- $tls := .Values.tls -}}
{{- if not $tls.enabled -}}
{{- else if or $tls.existingSecret $tls.existingSecrets -}}given
{{- else if $tls.issuerRef.name -}}cert-manager
{{- else -}}own
{{- end -}}
{{- end -}}

{{- define "parley.tls.scheme" -}}http{{ if .Values.tls.enabled }}s{{ end }}{{- end -}}
{{/* The scheme of a probe or a scrape. */}}
{{- define "parley.tls.probeScheme" -}}{{ if .Values.tls.enabled }}, scheme: HTTPS{{ end }}{{- end -}}

{{/* The components that have a certificate, as a JSON array. */}}
{{- define "parley.tls.components" -}}
{{- $components := list "api" "keeper" "worker" -}}
{{- if .Values.flower.enabled }}{{ $components = append $components "flower" }}{{ end -}}
{{- if ne .Values.redis.mode "external" }}{{ $components = append $components "redis" }}{{ end -}}
{{- if eq .Values.objects.kind "embedded" }}{{ $components = append $components "objects" }}{{ end -}}
{{ $components | toJson }}
{{- end -}}

{{/* The names that others call a component by, as a JSON array; takes (dict "root" $ "component" "redis"). */}}
{{- define "parley.tls.names" -}}
{{- $name := printf "%s-%s" (include "parley.fullname" .root) .component -}}
{{- $space := .root.Release.Namespace -}}
{{- $names := list $name (printf "%s.%s" $name $space) (printf "%s.%s.svc" $name $space) (printf "%s.%s.svc.cluster.local" $name $space) "localhost" -}}
{{- if eq .component "redis" -}}
{{/* The pods of mode sentinel, also while another mode is set: a change of the mode needs no new certificate. */}}
{{- $names = append $names (printf "*.%s-ha.%s.svc" $name $space) -}}
{{- end -}}
{{ $names | toJson }}
{{- end -}}

{{/* The Secret of a component; takes (dict "root" $ "component" "redis"). */}}
{{- define "parley.tls.secret" -}}
{{- if eq (include "parley.tls.source" .root) "given" -}}
{{ get .root.Values.tls.existingSecrets .component | default .root.Values.tls.existingSecret }}
{{- else -}}
{{ include "parley.fullname" .root }}-tls-{{ .component }}
{{- end -}}
{{- end -}}

{{/* Volume and mount of a component; take (dict "root" $ "component" "redis"), and optionally "entries". */}}
{{- define "parley.tls.volume" -}}
{{- if .root.Values.tls.enabled -}}
- name: tls
  secret:
    secretName: {{ include "parley.tls.secret" . }}
    defaultMode: 0440
    items: [{{ range $index, $entry := .entries | default (list "ca.crt" "tls.crt" "tls.key") }}{{ if $index }}, {{ end }}{key: {{ $entry }}, path: {{ $entry }}}{{ end }}]
{{- end -}}
{{- end -}}
{{- define "parley.tls.mount" -}}
{{- if .Values.tls.enabled -}}
- {name: tls, mountPath: /etc/parley/tls, readOnly: true}
{{- end -}}
{{- end -}}

{{/* What a client of Redis or of the embedded store needs, and a server of Parley besides. */}}
{{- define "parley.tls.clientEnvironment" -}}
{{- if .Values.tls.enabled -}}
- {name: PARLEY_CA_FILE, value: /etc/parley/tls/ca.crt}
{{- end -}}
{{- end -}}
{{- define "parley.tls.serverEnvironment" -}}
{{- if .Values.tls.enabled -}}
- {name: PARLEY_TLS_CERTIFICATE_FILE, value: /etc/parley/tls/tls.crt}
- {name: PARLEY_TLS_KEY_FILE, value: /etc/parley/tls/tls.key}
{{- end -}}
{{- end -}}
