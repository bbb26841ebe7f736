{{/* wagewire.name begins the name of every object. */}}
{{- define "wagewire.name" -}}
{{- .Release.Name -}}
{{- end -}}

{{/* wagewire.selector is the labels by which objects find the pods of a component: (list root component). */}}
{{- define "wagewire.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: wagewire
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* wagewire.podLabels is the labels of a pod of a component: (list root component). */}}
{{- define "wagewire.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "wagewire.selector" . }}
app.kubernetes.io/version: {{ $root.Values.image.tag | default $root.Chart.AppVersion | quote }}
{{- end -}}

{{/*
wagewire.labels is the labels of an object of a component: (list root component). Pods do not have all of them:
another version of the chart alone restarts no pod.
*/}}
{{- define "wagewire.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_")) -}}
{{- mergeOverwrite (deepCopy $root.Values.extraLabels) $own (include "wagewire.podLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{/*
wagewire.metadata is the metadata of an object: (dict "root" "component" "name" "labels" "annotations"). The name
follows the name of the release, and is the component without "name".
*/}}
{{- define "wagewire.metadata" -}}
{{- $annotations := mergeOverwrite (deepCopy .root.Values.extraAnnotations) (.annotations | default dict) -}}
name: {{ include "wagewire.name" .root }}-{{ .name | default .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- mergeOverwrite (.labels | default dict | deepCopy) (include "wagewire.labels" (list .root .component) | fromYaml) | toYaml | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* wagewire.image is the image of a command: (list root command). */}}
{{- define "wagewire.image" -}}
{{- $root := index . 0 -}}
{{- $command := index . 1 -}}
{{- $image := $root.Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ with $image.repository }}{{ . }}/{{ end }}{{ $command -}}
{{- $digest := index $image.digests $command -}}
{{- if $digest }}@{{ $digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* wagewire.serviceAccount is the name of the service account. */}}
{{- define "wagewire.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "wagewire.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* wagewire.natsUrl is where NATS is. */}}
{{- define "wagewire.natsUrl" -}}
{{- .Values.nats.url | default (printf "nats://%s-nats:4222" (include "wagewire.name" .)) -}}
{{- end -}}

{{/* wagewire.monitoring is the host and port of NATS' monitoring. KEDA asks from another namespace. */}}
{{- define "wagewire.monitoring" -}}
{{- .Values.nats.monitoring | default (printf "%s-nats.%s.svc:8222" (include "wagewire.name" .) .Release.Namespace) -}}
{{- end -}}

{{/* wagewire.fakeUrl is where the fake providers are. */}}
{{- define "wagewire.fakeUrl" -}}
http://{{ include "wagewire.name" . }}-providers:8081
{{- end -}}

{{/* wagewire.providerUrl is the URL of a provider's API, or empty for the provider's own: (list root provider). */}}
{{- define "wagewire.providerUrl" -}}
{{- $root := index . 0 -}}
{{- $provider := index . 1 -}}
{{- $url := (index $root.Values $provider).url -}}
{{- if $url }}{{ $url }}{{ else if $root.Values.providers.enabled }}{{ include "wagewire.fakeUrl" $root }}/{{ $provider }}{{ end -}}
{{- end -}}

{{/* wagewire.ports is the ports of URLs, separated by commas, as a list. Without a port, the scheme says which. */}}
{{- define "wagewire.ports" -}}
{{- $ports := list -}}
{{- $defaults := dict "http" 80 "ws" 80 "https" 443 "wss" 443 "nats" 4222 "tls" 4222 -}}
{{- range splitList "," . -}}
{{- $url := trim . | urlParse -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (get $defaults $url.scheme) | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* wagewire.text writes a whole number of a value without an exponent. A text stays as it is. */}}
{{- define "wagewire.text" -}}
{{- if kindIs "float64" . }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* wagewire.providers is the enabled providers, as a list in JSON. */}}
{{- define "wagewire.providers" -}}
{{- $enabled := list -}}
{{- range list "pinwheel" "truv" -}}
{{- if (index $.Values .).enabled }}{{ $enabled = append $enabled . }}{{ end -}}
{{- end -}}
{{- toJson $enabled -}}
{{- end -}}
