{{- define "orders.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- /* These take a dict with `root` and `part` (api or files). */}}
{{- define "orders.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "orders.partLabels" -}}
{{ include "orders.selector" . }}
{{ include "orders.common" .root }}
{{- end }}

{{- define "orders.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{ include "orders.common" . }}
{{- end }}

{{- define "orders.common" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "orders.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "orders.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "orders.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Where a pod runs, as the downward API tells it. */}}
{{- define "orders.placeEnv" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- end }}

{{- /*
By these labels Datadog knows env, service and version of all that a pod sends. For Deployments and
their pods.
*/}}
{{- define "orders.telemetryLabels" -}}
tags.datadoghq.com/service: {{ include "orders.name" .root }}-{{ .part }}
tags.datadoghq.com/version: {{ .root.Values.image.tag | quote }}
{{- with .root.Values.telemetry.env }}
tags.datadoghq.com/env: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* DD_AGENT_HOST, and the three labels above. OTLP goes to the same host. */}}
{{- define "orders.agentEnv" -}}
- name: DD_AGENT_HOST
  {{- if .Values.telemetry.host }}
  value: {{ .Values.telemetry.host | quote }}
  {{- else }}
  valueFrom:
    fieldRef:
      fieldPath: status.hostIP
  {{- end }}
{{- range $name := list "env" "service" "version" }}
- name: DD_{{ upper $name }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['tags.datadoghq.com/{{ $name }}']
{{- end }}
{{- end }}

{{- define "orders.ports" -}}
- name: http
  containerPort: 8080
- name: metrics
  containerPort: 9090
{{- end }}

{{- /*
Starting may take a minute on a busy machine. A pod that cannot work gets no requests after 6
seconds; it is restarted only when it answers nothing at all for 30.
*/}}
{{- define "orders.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 2
  timeoutSeconds: 4
  failureThreshold: 3
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 6
lifecycle:
  preStop:
    sleep:
      seconds: {{ .Values.drainSeconds }}
{{- end }}
