{{/*
wagewire.workers is a map of the workers that run, by command. Each has its settings (the block workers, with
the block of workers.each over it), the queues of enabled providers, the names of those providers that it
calls, and the limits of its autoscaling.
*/}}
{{- define "wagewire.workers" -}}
{{- $values := .Values -}}
{{- $workers := dict -}}
{{- range $name, $all := (.Files.Get "files/queues.yaml" | fromYaml).workers -}}
  {{- $queues := list -}}
  {{- $providers := list -}}
  {{- range $all -}}
    {{- if (index $values .provider).enabled -}}
      {{- $queues = append $queues . -}}
      {{- if not (hasKey . "calls") }}{{ $providers = append $providers .provider | uniq }}{{ end -}}
    {{- end -}}
  {{- end -}}
  {{- $worker := mergeOverwrite (dict "enabled" true) (omit $values.workers "each" | deepCopy)
    (dict "autoscaling" (deepCopy $values.autoscaling)) (get $values.workers.each $name | default dict | deepCopy) -}}
  {{- if and $queues $worker.enabled -}}
    {{- $_ := set $worker "queues" $queues -}}
    {{- $_ := set $worker "providers" $providers -}}
    {{- $_ := set $worker "computed" (include "wagewire.maximum" (list $values $worker) | int) -}}
    {{- $_ := set $worker "maximum" ($worker.autoscaling.maximum | int | default $worker.computed) -}}
    {{- $_ := set $workers $name $worker -}}
  {{- end -}}
{{- end -}}
{{- toYaml $workers -}}
{{- end -}}

{{/* wagewire.scaled is true if KEDA scales a worker, and empty if KEDA scales none. */}}
{{- define "wagewire.scaled" -}}
{{- $scaled := "" -}}
{{- range include "wagewire.workers" . | fromYaml -}}
  {{- if .autoscaling.enabled }}{{ $scaled = "true" }}{{ end -}}
{{- end -}}
{{- $scaled -}}
{{- end -}}

{{/*
wagewire.maximum is how many pods of a worker can have work: (list values worker). By Little's law, rate x latency
calls are under way at most. A pod has concurrency of them. More pods would only wait for turns.
*/}}
{{- define "wagewire.maximum" -}}
{{- $values := index . 0 -}}
{{- $worker := index . 1 -}}
{{- $rate := include "wagewire.rate" . | float64 -}}
{{- $pods := divf (mulf $rate $worker.autoscaling.latencySeconds) $worker.concurrency | ceil | int -}}
{{- max 2 $pods $worker.autoscaling.minimum -}}
{{- end -}}

{{/* wagewire.rate is how many calls a second the providers of a worker allow: (list values worker). */}}
{{- define "wagewire.rate" -}}
{{- $values := index . 0 -}}
{{- $rate := 0.0 -}}
{{- range (index . 1).providers -}}
  {{- $rate = addf $rate (index $values .).ratePerSecond -}}
{{- end -}}
{{- $rate -}}
{{- end -}}
