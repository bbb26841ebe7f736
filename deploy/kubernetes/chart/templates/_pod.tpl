{{/*
wagewire.settings merges the settings of pods that values.yaml has in several blocks, the most general first:
lists are added to, maps are merged, and the last text counts. Its argument is the list of the blocks.
*/}}
{{- define "wagewire.settings" -}}
{{- $settings := dict -}}
{{- range $block := . -}}
  {{- range list "extraEnv" "extraEnvFrom" "extraVolumes" "extraVolumeMounts" "tolerations" -}}
    {{- $_ := set $settings . (concat (get $settings . | default list) (get $block . | default list)) -}}
  {{- end -}}
  {{- range list "extraLabels" "extraAnnotations" "nodeSelector" "affinity" "podSecurityContext" "securityContext" "resources" -}}
    {{- $_ := set $settings . (mergeOverwrite (get $settings . | default dict) (get $block . | default dict | deepCopy)) -}}
  {{- end -}}
  {{- $_ := set $settings "priorityClassName" (get $block "priorityClassName" | default $settings.priorityClassName) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{/*
wagewire.podMetadata is the metadata of a component's pods: (dict "root" "component" "settings" "annotations").
*/}}
{{- define "wagewire.podMetadata" -}}
labels:
  {{- mergeOverwrite (deepCopy .settings.extraLabels) (include "wagewire.podLabels" (list .root .component) | fromYaml) | toYaml | nindent 2 }}
{{- with mergeOverwrite (deepCopy .settings.extraAnnotations) (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* wagewire.podSpec is what the pods of all components have: (dict "root" "component" "settings"). */}}
{{- define "wagewire.podSpec" -}}
serviceAccountName: {{ include "wagewire.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .settings.podSecurityContext | nindent 2 }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* wagewire.spread keeps the pods of a component on different zones and nodes: (list root component). */}}
{{- define "wagewire.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "wagewire.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}

{{/* wagewire.container is what the containers of our commands have: (dict "root" "command" "settings"). */}}
{{- define "wagewire.container" -}}
image: {{ include "wagewire.image" (list .root .command) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .settings.securityContext | nindent 2 }}
resources:
  {{- toYaml .settings.resources | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- with .settings.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
wagewire.env is the environment of a container: (list own settings). Its own variables are a text, and extraEnv
of the settings follows them. The last variable of a name counts.
*/}}
{{- define "wagewire.env" -}}
{{- $kept := list -}}
{{- $seen := dict -}}
{{- range concat (index . 0 | fromYamlArray) ((index . 1).extraEnv | default list) | reverse -}}
  {{- if not (hasKey $seen .name) -}}
    {{- $_ := set $seen .name true -}}
    {{- $kept = prepend $kept . -}}
  {{- end -}}
{{- end -}}
{{- toYaml $kept -}}
{{- end -}}

{{/* wagewire.processEnv is the environment of every process: (dict "root" "role"). */}}
{{- define "wagewire.processEnv" -}}
{{- $values := .root.Values -}}
- {name: ADMIN_ADDR, value: ":9090"}
- {name: LOG_LEVEL, value: {{ $values.log.level }}}
- {name: LOG_FORMAT, value: {{ $values.log.format }}}
{{- with $values.tracing.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with $values.tracing.sampler }}
- {name: OTEL_TRACES_SAMPLER, value: {{ . }}}
{{- end }}
{{- with $values.tracing.samplerArg }}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ . | quote }}}
{{- end }}
{{ include "wagewire.natsEnv" . }}
{{- end -}}

{{/* wagewire.natsEnv is the environment of a client of NATS: (dict "root" "role"). The operator's command also
     learns how long a provider may be silent, how much memory NATS has, and where the pages are. */}}
{{- define "wagewire.natsEnv" -}}
{{- $values := .root.Values -}}
- {name: NATS_URL, value: {{ include "wagewire.natsUrl" .root | quote }}}
- {name: NATS_CREDS_FILE, value: /etc/wagewire/key/{{ include "wagewire.keyFile" .role }}}
{{- with $values.nats.domain }}
- {name: NATS_JS_DOMAIN, value: {{ . | quote }}}
{{- end }}
{{- if $values.nats.tls.existingSecret }}
- {name: NATS_CA_FILE, value: /etc/wagewire/ca/ca.crt}
{{- end }}
{{- if eq .role "wagewire" }}
{{- with $values.pinwheel.silentAfter }}
- {name: PINWHEEL_SILENT_AFTER, value: {{ . }}}
{{- end }}
{{- with $values.truv.silentAfter }}
- {name: TRUV_SILENT_AFTER, value: {{ . }}}
{{- end }}
{{- with $values.nats.memory }}
- {name: NATS_MEMORY, value: {{ . }}B}
{{- end }}
{{- include "wagewire.consoleUrlEnv" . }}
{{- end }}
{{- end -}}

{{/* wagewire.consoleUrlEnv is the environment of what names pages of the console: (dict "root"). */}}
{{- define "wagewire.consoleUrlEnv" -}}
{{- with .root.Values.console.url }}
- {name: CONSOLE_URL, value: {{ . | quote }}}
{{- end }}
{{- end -}}

{{/* wagewire.keyFile is the file with the key of a role. */}}
{{- define "wagewire.keyFile" -}}
nats_{{ . | replace "-" "_" }}.nk
{{- end -}}

{{/*
wagewire.volumes is the secrets of a process: its own key, the CA of NATS, and the secrets of providers:
(dict "root" "role" "providers" "settings").
*/}}
{{- define "wagewire.volumes" -}}
{{- $root := .root -}}
- name: key
  secret:
    secretName: {{ $root.Values.keys.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ include "wagewire.keyFile" .role }}, path: {{ include "wagewire.keyFile" .role }}}]
{{- with $root.Values.nats.tls }}
{{- if .existingSecret }}
- name: ca
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- range .providers }}
{{- $provider := index $root.Values . }}
- name: {{ . }}
  secret:
    secretName: {{ $provider.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ $provider.key | quote }}, path: secret}]
{{- end }}
{{- with .settings.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* wagewire.volumeMounts mounts the volumes as directories, so that a changed secret arrives. */}}
{{- define "wagewire.volumeMounts" -}}
- {name: key, mountPath: /etc/wagewire/key, readOnly: true}
{{- if .root.Values.nats.tls.existingSecret }}
- {name: ca, mountPath: /etc/wagewire/ca, readOnly: true}
{{- end }}
{{- range .providers }}
- {name: {{ . }}, mountPath: /etc/wagewire/{{ . }}, readOnly: true}
{{- end }}
{{- with .settings.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* wagewire.probes asks a process at its admin port. /livez does not depend on NATS. */}}
{{- define "wagewire.probes" -}}
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
