{{/* Labels that select; takes (dict "root" $ "component" "api"). */}}
{{- define "parley.selector" -}}
app.kubernetes.io/name: parley
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .worker }}
parley/worker: {{ . }}
{{- end }}
{{- end -}}

{{- define "parley.labels" -}}
{{ include "parley.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "component" "api" "name" "..."), and optionally "labels" and "annotations" to add. */}}
{{- define "parley.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "parley.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "image" <repository and tag>). */}}
{{- define "parley.image" -}}
{{- $tag := .image.tag | default .root.Chart.AppVersion -}}
{{- with .root.Values.images.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.repository }}:{{ $tag }}
{{- end -}}

{{/*
Security contexts that the Pod Security standard `restricted` requires; takes (dict "root" $). OpenShift gives each
namespace users of its own, and refuses pods that ask for another one.
*/}}
{{- define "parley.podSecurity" -}}
{{- $user := .root.Values.userId | int64 -}}
runAsNonRoot: true
{{- if and $user (not (.root.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}
runAsUser: {{ $user }}
runAsGroup: {{ $user }}
fsGroup: {{ $user }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}
{{- define "parley.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The first keys of every pod spec; takes (dict "root" $ "values" <the component's values>). */}}
{{- define "parley.podHead" -}}
enableServiceLinks: false
securityContext:
  {{- include "parley.podSecurity" . | nindent 2 }}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Pods of one component on different nodes where that is possible. */}}
{{- define "parley.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "parley.selector" . | nindent 8 }}
{{- end -}}

{{/* Labels and annotations of a pod; takes also "values". */}}
{{- define "parley.podMetadata" -}}
labels:
  {{- include "parley.selector" . | nindent 2 }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) (.values.podAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Environment that API, keeper, workers and Flower share; takes (dict "root" $ "role" "api"). */}}
{{- define "parley.environment" -}}
{{- include "parley.redis.environment" . }}
{{ include "parley.objects.environment" . }}
{{- with include "parley.tls.serverEnvironment" .root }}
{{ . }}
{{- end }}
- {name: PARLEY_MAX_RECORDING_BYTES, value: {{ .root.Values.limits.maxRecordingBytes | int64 | quote }}}
- {name: PARLEY_MAX_RECORDING_SECONDS, value: {{ .root.Values.limits.maxRecordingSeconds | int64 | quote }}}
- {name: PARLEY_LONGEST_ATTEMPT_SECONDS, value: {{ .root.Values.limits.longestAttemptSeconds | int64 | quote }}}
- {name: PARLEY_LEASE_SECONDS, value: {{ .root.Values.limits.leaseSeconds | quote }}}
- {name: PARLEY_QUEUE_LIMIT, value: {{ .root.Values.limits.queueLimit | int64 | quote }}}
- {name: PARLEY_SANDBOX_REQUIRED, value: {{ .root.Values.sandbox.required | quote }}}
- {name: PARLEY_UPLOAD_SECONDS, value: {{ .root.Values.limits.uploadSeconds | int64 | quote }}}
- {name: PARLEY_RETAIN_SECONDS, value: {{ .root.Values.limits.retainSeconds | int64 | quote }}}
{{- if ne (toString .root.Values.limits.retainAudioSeconds) "" }}
- {name: PARLEY_RETAIN_AUDIO_SECONDS, value: {{ .root.Values.limits.retainAudioSeconds | int64 | quote }}}
{{- end }}
{{- end -}}

{{/* What tenants may use, as the environment of the API. */}}
{{- define "parley.tenants.environment" -}}
{{- $limits := .Values.tenantLimits -}}
- {name: PARLEY_TENANT_REQUESTS_PER_MINUTE, value: {{ $limits.requestsPerMinute | int64 | quote }}}
- {name: PARLEY_TENANT_SUBMITS_PER_MINUTE, value: {{ $limits.submitsPerMinute | int64 | quote }}}
- {name: PARLEY_TENANT_UNFINISHED_JOBS, value: {{ $limits.unfinishedJobs | int64 | quote }}}
- {name: PARLEY_TENANT_AUDIO_HOURS_PER_DAY, value: {{ $limits.audioHoursPerDay | quote }}}
- {name: PARLEY_TENANT_STORED_BYTES, value: {{ $limits.storedBytes | int64 | quote }}}
- {name: PARLEY_TENANT_OPEN_UPLOADS, value: {{ $limits.openUploads | int64 | quote }}}
- {name: PARLEY_TENANT_UPLOADS, value: {{ $limits.uploads | int64 | quote }}}
- {name: PARLEY_TENANT_WAITS, value: {{ $limits.waits | int64 | quote }}}
{{- with .Values.tenants }}
{{- $tenants := dict }}
{{- range $tenant, $given := . }}
{{- $own := dict }}
{{- range $name, $value := $given }}{{ $_ := set $own (snakecase $name) $value }}{{ end }}
{{- $_ := set $tenants $tenant $own }}
{{- end }}
- {name: PARLEY_TENANTS, value: {{ toJson $tenants | quote }}}
{{- end }}
{{- end -}}

{{/* Deliveries: environment, mount and volume of API and keeper; empty while they are off. */}}
{{- define "parley.webhooks.environment" -}}
{{- if .Values.webhooks.existingSecret -}}
- {name: PARLEY_WEBHOOK_SECRETS_FILE, value: /etc/parley/webhooks/secrets}
- {name: PARLEY_WEBHOOK_NETWORKS, value: {{ join "," .Values.webhooks.networks | quote }}}
{{- end -}}
{{- end -}}
{{- define "parley.webhooks.mount" -}}
{{- if .Values.webhooks.existingSecret -}}
- {name: webhooks, mountPath: /etc/parley/webhooks, readOnly: true}
{{- end -}}
{{- end -}}
{{- define "parley.webhooks.volume" -}}
{{- with .Values.webhooks.existingSecret -}}
- name: webhooks
  secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: secrets, path: secrets}]}
{{- end -}}
{{- end -}}

{{/* Links: environment, mount and volume of the API; empty while no tenant may give any. */}}
{{- define "parley.links.environment" -}}
{{- $links := .Values.links -}}
{{- $own := false -}}
{{- range .Values.tenants }}{{ if or .linkHosts .linkBuckets }}{{ $own = true }}{{ end }}{{ end -}}
{{- if or $links.hosts $links.buckets $own -}}
- {name: PARLEY_TENANT_LINK_HOSTS, value: {{ join "," $links.hosts | quote }}}
- {name: PARLEY_TENANT_LINK_BUCKETS, value: {{ join "," $links.buckets | quote }}}
- {name: PARLEY_LINK_NETWORKS, value: {{ join "," $links.networks | quote }}}
{{- if $links.existingSecret }}
- {name: PARLEY_LINK_SECRETS_FOLDER, value: /etc/parley/links}
{{- end }}
{{- end -}}
{{- end -}}
{{- define "parley.links.mount" -}}
{{- if .Values.links.existingSecret -}}
- {name: links, mountPath: /etc/parley/links, readOnly: true}
{{- end -}}
{{- end -}}
{{- define "parley.links.volume" -}}
{{- with .Values.links.existingSecret -}}
- name: links
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end -}}
{{- end -}}

{{/* Recogniser: environment, mount and volume of workers, and the port of its URL; empty without a URL. */}}
{{- define "parley.recogniser.environment" -}}
{{- with .Values.recogniser -}}
{{- if .url -}}
- {name: PARLEY_ASR_URL, value: {{ .url | quote }}}
- {name: PARLEY_ASR_MODEL, value: {{ .model | quote }}}
- {name: PARLEY_ASR_LANGUAGE, value: {{ .language | quote }}}
- {name: PARLEY_ASR_PIECE_SECONDS, value: {{ .pieceSeconds | quote }}}
- {name: PARLEY_ASR_SECONDS_PER_AUDIO_SECOND, value: {{ .secondsPerAudioSecond | quote }}}
- {name: PARLEY_ASR_WAIT_SECONDS, value: {{ .waitSeconds | quote }}}
{{- if and .existingSecret .token }}
- {name: PARLEY_ASR_TOKEN_FILE, value: /etc/parley/recogniser/token}
{{- end }}
{{- if and .existingSecret .ca }}
- {name: PARLEY_ASR_CA_FILE, value: /etc/parley/recogniser/ca.crt}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- define "parley.recogniser.mount" -}}
{{- if and .Values.recogniser.url .Values.recogniser.existingSecret -}}
- {name: recogniser, mountPath: /etc/parley/recogniser, readOnly: true}
{{- end -}}
{{- end -}}
{{- define "parley.recogniser.volume" -}}
{{- if and .Values.recogniser.url .Values.recogniser.existingSecret -}}
- name: recogniser
  secret: {secretName: {{ .Values.recogniser.existingSecret }}, defaultMode: 0440}
{{- end -}}
{{- end -}}
{{- define "parley.recogniser.port" -}}
{{- $url := urlParse .Values.recogniser.url -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}

{{/* The value of an existing Secret, else a random one; takes (dict "old" <data> "key" "..." "length" 32). */}}
{{- define "parley.kept" -}}
{{- $old := .old | default dict -}}
{{- if hasKey $old .key -}}{{ get $old .key | b64dec }}{{- else -}}{{ randAlphaNum (.length | int) }}{{- end -}}
{{- end -}}

{{/* "true" where KEDA scales this worker; takes (dict "root" $ "worker" <merged entry>). */}}
{{- define "parley.kedaScales" -}}
{{- $keda := .worker.autoscaling.keda -}}
{{- if or (eq $keda "always") (and (eq $keda "auto") (.root.Capabilities.APIVersions.Has "keda.sh/v1alpha1")) -}}true{{- end -}}
{{- end -}}

{{/* An entry of `workers` merged over workerDefaults, as YAML; takes (dict "root" $ "entry" <entry>). */}}
{{- define "parley.worker" -}}
{{- $worker := mergeOverwrite (deepCopy .root.Values.workerDefaults) (deepCopy .entry) -}}
{{ toYaml $worker }}
{{- end -}}

{{/* Seconds that a start may take: four times what it takes with just the requested CPU, and 120 to 900. Takes
(dict "cpuSeconds" <processor seconds of a start on a slow machine> "resources" <resources>). */}}
{{- define "parley.startSeconds" -}}
{{- $cpu := dig "requests" "cpu" "10m" .resources | toString -}}
{{- $cores := ternary (divf (trimSuffix "m" $cpu | float64) 1000) ($cpu | float64) (hasSuffix "m" $cpu) -}}
{{- $seconds := divf (mulf 4 .cpuSeconds) (maxf $cores 0.001) | ceil | int64 -}}
{{- min 900 (max 120 $seconds) -}}
{{- end -}}

{{/* A startup probe that waits in the container until a shell condition is true. A probe that asks each second would log a
warning for each second of the start. Takes "condition", and "shell" if it is not bash. Without the arguments of
parley.startSeconds it waits 900 s. */}}
{{- define "parley.startupProbe" -}}
{{- $command := list (.shell | default "bash") "-c" (printf "until %s; do sleep 0.5; done" .condition) -}}
{{- $seconds := 900 -}}
{{- if .cpuSeconds }}{{ $seconds = include "parley.startSeconds" . | int }}{{ end -}}
exec: {command: {{ $command | toRawJson }}}
periodSeconds: 1
timeoutSeconds: {{ divf $seconds 3 | ceil }}
failureThreshold: 3
{{- end -}}
{{- define "parley.portIsOpen" -}}(: </dev/tcp/127.0.0.1/{{ . }}) 2>/dev/null{{- end -}}

{{/* Bytes of a quantity such as 4Gi. */}}
{{- define "parley.bytes" -}}
{{- $quantity := toString . -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- $power := index (dict "" 0 "k" 1 "Ki" 1 "M" 2 "Mi" 2 "G" 3 "Gi" 3 "T" 4 "Ti" 4 "P" 5 "Pi" 5) $unit -}}
{{- $bytes := trimSuffix $unit $quantity | float64 -}}
{{- range until $power -}}{{- $bytes = mulf $bytes (ternary 1024 1000 (hasSuffix "i" $unit)) -}}{{- end -}}
{{ $bytes }}
{{- end -}}
