{{/* Refuses combinations that cannot work, each with a message that says what to do. */}}
{{- define "parley.checks" -}}
{{- include "parley.checks.redis" . -}}
{{- include "parley.checks.objects" . -}}
{{- include "parley.checks.api" . -}}
{{- include "parley.checks.volumes" . -}}
{{- include "parley.checks.routing" . -}}
{{- include "parley.checks.tls" . -}}
{{- $names := dict -}}
{{- range .Values.workers -}}
{{- $worker := include "parley.worker" (dict "root" $ "entry" .) | fromYaml -}}
{{- include "parley.checks.worker" (dict "root" $ "worker" $worker) -}}
{{- if hasKey $names .name -}}{{ fail (printf "Two entries of workers are called %q: give each its own name." .name) }}{{- end -}}
{{- $_ := set $names .name true -}}
{{- end -}}
{{- if not .Values.workers -}}{{ fail "workers is empty, so no job would ever run: add at least one entry with a queue." }}{{- end -}}
{{- end -}}

{{- define "parley.checks.redis" -}}
{{- if ne .Values.redis.maxmemoryPolicy "noeviction" -}}
{{ fail (printf "redis.maxmemoryPolicy is %q: only noeviction keeps accepted jobs. Every other policy drops them silently when memory is full." .Values.redis.maxmemoryPolicy) }}
{{- end -}}
{{- if and (eq .Values.redis.mode "external") (not .Values.redis.external.host) -}}
{{ fail "redis.mode is external and redis.external.host is empty: set the host of your Redis, or set redis.mode to single or sentinel." }}
{{- end -}}
{{- if and (ne .Values.redis.mode "external") .Values.redis.external.host -}}
{{ fail (printf "redis.external.host is set, but redis.mode is %s: set redis.mode to external to use your own Redis." .Values.redis.mode) }}
{{- end -}}
{{- end -}}

{{- define "parley.checks.tls" -}}
{{- $tls := .Values.tls -}}
{{- $given := or $tls.existingSecret $tls.existingSecrets -}}
{{- if and (or $given $tls.issuerRef.name) (not $tls.enabled) -}}
{{ fail "tls names where certificates come from, and tls.enabled is false: set it to true, or nothing is encrypted." }}
{{- end -}}
{{- if and $given $tls.issuerRef.name -}}
{{ fail "tls has Secrets and an issuer: set tls.existingSecret, or tls.issuerRef.name, not both." }}
{{- end -}}
{{- if and $given (not $tls.existingSecret) -}}
{{- range include "parley.tls.components" . | fromJsonArray -}}
{{- if not (get $tls.existingSecrets .) -}}{{ fail (printf "tls.existingSecrets has no entry %s: add it, or set tls.existingSecret for all that have none." .) }}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "parley.checks.objects" -}}
{{- $objects := .Values.objects -}}
{{- if and (eq $objects.kind "url") (not $objects.url) -}}
{{ fail "objects.kind is url and objects.url is empty: set it to s3://bucket, gs://bucket or az://container." }}
{{- end -}}
{{- if and (ne $objects.kind "url") $objects.url -}}
{{ fail (printf "objects.url is set, but objects.kind is %s: set objects.kind to url to use it." $objects.kind) }}
{{- end -}}
{{- if and (eq $objects.kind "url") (hasPrefix "file:" $objects.url) -}}
{{ fail "objects.url is a folder inside one pod, which no other pod can read: set objects.kind to volume for a shared folder." }}
{{- end -}}
{{- if and (eq $objects.kind "volume") (eq $objects.volume.accessMode "ReadWriteOnce") (not $objects.volume.singleNode) -}}
{{ fail "objects.volume.accessMode ReadWriteOnce can be mounted on one node only, and API and workers run on several: use ReadWriteMany, set objects.volume.singleNode to true, or use objects.kind embedded." }}
{{- end -}}
{{- end -}}

{{- define "parley.checks.api" -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.host) -}}
{{ fail "api.ingress is enabled without api.ingress.host: set the host name of the API." }}
{{- end -}}
{{- if and .Values.api.httpRoute.enabled (not .Values.api.httpRoute.parentRefs) -}}
{{ fail "api.httpRoute is enabled without api.httpRoute.parentRefs: name a gateway to attach to." }}
{{- end -}}
{{- with .Values.api.autoscaling -}}
{{- if and .enabled (gt (.minReplicas | int) (.maxReplicas | int)) -}}
{{ fail "api.autoscaling.minReplicas is above api.autoscaling.maxReplicas." }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Takes (dict "root" $ "worker" <merged entry>). */}}
{{- define "parley.checks.worker" -}}
{{- $worker := .worker -}}
{{- if gt ($worker.autoscaling.minReplicas | int) ($worker.autoscaling.maxReplicas | int) -}}
{{ fail (printf "Worker %q: autoscaling.minReplicas is above autoscaling.maxReplicas." $worker.name) }}
{{- end -}}
{{- if and ($worker.gpu.count | int) (gt ($worker.concurrency | int) 1) -}}
{{ fail (printf "Worker %q has a GPU and a concurrency of %d: jobs of one pod would share its memory. Set concurrency to 1 and use more pods." $worker.name ($worker.concurrency | int)) }}
{{- end -}}
{{- if and (eq $worker.engine "pyannote") (not $worker.image.repository) (eq .root.Values.images.worker.repository "parley-worker") -}}
{{ fail (printf "Worker %q asks for the pyannote engine, and images.worker has only onnx: set its image.repository to an image built with ENGINE=pyannote." $worker.name) }}
{{- end -}}
{{- end -}}

{{/* Kubernetes refuses to change the volume claim templates of a StatefulSet, and does not say what to do. */}}
{{- define "parley.checks.volumes" -}}
{{- if ne .Values.redis.mode "external" -}}
{{- include "parley.checks.volume" (dict "root" . "name" (include "parley.redis.statefulSet" .) "key" "redis.persistence.size" "size" .Values.redis.persistence.size) -}}
{{- end -}}
{{- if eq .Values.objects.kind "embedded" -}}
{{- include "parley.checks.volume" (dict "root" . "name" (include "parley.objects.name" .) "key" "objects.embedded.size" "size" .Values.objects.embedded.size) -}}
{{- end -}}
{{- end -}}
{{- define "parley.checks.volume" -}}
{{- with lookup "apps/v1" "StatefulSet" .root.Release.Namespace .name -}}
{{- $installed := (index .spec.volumeClaimTemplates 0).spec.resources.requests.storage -}}
{{- include "parley.checks.size" (dict "key" $.key "size" $.size "installed" $installed) -}}
{{- end -}}
{{- end -}}

{{/* Takes (dict "key" "redis.persistence.size" "size" <that of the values> "installed" <that of the volume>). */}}
{{- define "parley.checks.size" -}}
{{- $size := include "parley.bytes" .size | float64 -}}
{{- $installed := include "parley.bytes" .installed | float64 -}}
{{- if lt $size $installed -}}
{{ fail (printf "%s is %s, and the installed volume has %s: Kubernetes cannot shrink volumes. Set it to %s." .key .size .installed .installed) }}
{{- else if gt $size $installed -}}
{{ fail (printf "%s is %s, and the installed volume has %s: an upgrade by Helm alone cannot enlarge it. Use `python -m k8s.deploy upgrade`, or see Larger volumes in docs/upgrade.md." .key .size .installed) }}
{{- end -}}
{{- end -}}

{{- define "parley.checks.routing" -}}
{{- $routing := .Values.monitoring.routing -}}
{{- $wanted := or $routing.pagerduty.enabled $routing.slack.channel $routing.teams.enabled $routing.email.to -}}
{{- if and $routing.existingSecret (not $wanted) -}}
{{ fail "monitoring.routing.existingSecret is set, but nobody receives alerts: set pagerduty.enabled, slack.channel, teams.enabled or email.to." }}
{{- end -}}
{{- if and $wanted (not $routing.existingSecret) -}}
{{ fail "monitoring.routing has receivers and no Secret: set monitoring.routing.existingSecret to the one that has their keys." }}
{{- end -}}
{{- if and $routing.email.to (not (and $routing.email.from $routing.email.smarthost)) -}}
{{ fail "monitoring.routing.email.to is set: set from and smarthost (host:port) too." }}
{{- end -}}
{{- end -}}
