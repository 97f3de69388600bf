{{/* Rules that several NetworkPolicies have in common. */}}

{{- define "parley.egress.dns" -}}
- to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ .Values.networkPolicy.dnsNamespace }}}}
    - ipBlock: {cidr: 169.254.20.10/32}  # node-local DNS cache
  ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}

{{- define "parley.egress.redis" -}}
{{- if ne .Values.redis.mode "external" -}}
- to: [{podSelector: {matchLabels: {{ include "parley.selector" (dict "root" . "component" "redis") | fromYaml | toJson }}}}]
  ports: {{ include "parley.redis.ports" . }}
{{- else -}}
- to:
    {{- toYaml .Values.networkPolicy.redisEgressTo | nindent 4 }}
  ports: [{port: {{ .Values.redis.external.port }}, protocol: TCP}]
{{- end -}}
{{- end -}}

{{- define "parley.redis.ports" -}}
[{port: 6379, protocol: TCP}{{ if eq .Values.redis.mode "sentinel" }}, {port: 26379, protocol: TCP}{{ end }}]
{{- end -}}

{{- define "parley.egress.objects" -}}
{{- if eq .Values.objects.kind "embedded" -}}
- to: [{podSelector: {matchLabels: {{ include "parley.selector" (dict "root" . "component" "objects") | fromYaml | toJson }}}}]
  ports: [{port: 7070, protocol: TCP}, {port: 7071, protocol: TCP}]
{{- else if eq .Values.objects.kind "url" -}}
{{- toYaml .Values.networkPolicy.objectStoreEgress -}}
{{- end -}}
{{- end -}}

{{/* Takes (dict "root" $ "components" <list>). */}}
{{- define "parley.ingress.components" -}}
{{- range .components }}
- podSelector: {matchLabels: {{ include "parley.selector" (dict "root" $.root "component" .) | fromYaml | toJson }}}
{{- end -}}
{{- end -}}

{{/* The Kubernetes API: given, or as its Service and its endpoints say. Plugins look at one or the other address. */}}
{{- define "parley.egress.kubernetes" -}}
{{- $slice := lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "kubernetes" -}}
{{- $service := lookup "v1" "Service" "default" "kubernetes" -}}
{{- if .Values.networkPolicy.keeperEgress -}}
{{- toYaml .Values.networkPolicy.keeperEgress -}}
{{- else if and $slice $service -}}
{{- $to := list -}}
{{- range $slice.endpoints }}{{ range .addresses }}{{ $to = append $to . }}{{ end }}{{ end -}}
- to: {{ include "parley.hosts" $to }}
  ports: [{{ range $index, $port := $slice.ports }}{{ if $index }}, {{ end }}{port: {{ $port.port | int }}, protocol: TCP}{{ end }}]
- to: {{ include "parley.hosts" $service.spec.clusterIPs }}
  ports: [{port: 443, protocol: TCP}]
{{- else -}}
- to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}}]
  ports: [{port: 443, protocol: TCP}, {port: 6443, protocol: TCP}]
{{- end -}}
{{- end -}}
{{/* Peers of a rule, as JSON, of a list of addresses. */}}
{{- define "parley.hosts" -}}
{{- $peers := list -}}
{{- range . }}{{ $peers = append $peers (dict "ipBlock" (dict "cidr" (printf "%s/%d" . (ternary 128 32 (contains ":" .))))) }}{{ end -}}
{{ $peers | toJson }}
{{- end -}}
