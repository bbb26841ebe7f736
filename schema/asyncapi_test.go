package schema_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

const asyncAPIFile = "asyncapi.yaml"

// asyncChannel is one channel of asyncapi.yaml, and what is done on it.
type asyncChannel struct {
	Key, Address, Title, Summary string
	Stream                       schema.Stream
	Message                      string
	// Parameters are the names between braces in Address.
	Parameters []string
	Operations []asyncOperation
}

type asyncOperation struct{ Key, Action, Summary, Queue string }

// asyncEvent is the message of one type of webhook.
type asyncEvent struct {
	Key, Type, Name, Title, Provider, Payload string
}

type asyncDocument struct {
	Topology   schema.Topology
	Channels   []asyncChannel
	Events     []asyncEvent
	Providers  []schema.Provider
	QueueNames []string
	LeaseFor   time.Duration
	Deliveries int
}

func newAsyncDocument() asyncDocument {
	d := asyncDocument{
		Topology: schema.DefaultTopology(), Providers: schema.Providers(),
		LeaseFor: schema.LeaseFor, Deliveries: schema.DeliveriesMax,
	}
	for _, w := range schema.Catalogue() {
		d.addEvent(w)
	}
	for _, p := range schema.Providers() {
		// Its subject has the type for its action: "{type}" is what a real type's token stands for.
		d.addEvent(schema.WebhookType{Provider: p, Resource: schema.Other, Action: "{type}", Does: schema.Lookup(p, "").Does})
	}
	for _, q := range d.Topology.Queues {
		d.QueueNames = append(d.QueueNames, q.Name)
		key := fmt.Sprintf("completions.%s.%s", q.Provider, q.Resource)
		d.Channels = append(d.Channels, asyncChannel{
			Key: key, Address: braces(schema.Event{Provider: q.Provider, ID: "event", AccountID: "account"}.CompletionSubject(q.Resource), "account", "event"),
			Title: fmt.Sprintf("Completions of %s", q.Resource), Summary: fmt.Sprintf("The last word on each event that queue %s delivers.", q.Name),
			Stream: d.stream(schema.CompletionsStream), Message: "completion", Parameters: []string{"account", "event"},
			Operations: []asyncOperation{{Key: key + ".complete", Action: "send", Summary: "A worker completes an event, once for ever."}},
		})
	}
	d.Channels = append(d.Channels, []asyncChannel{
		{Key: "tombstones", Address: braces(schema.TombstoneSubject("provider", "account"), "provider", "account"),
			Title: "Tombstones", Summary: "An account that was erased. While it is there, no completion with data of the account is stored.",
			Stream: d.stream(schema.CompletionsStream), Message: "tombstone", Parameters: []string{"provider", "account"},
			Operations: []asyncOperation{{Key: "tombstones.erase", Action: "send", Summary: "The link worker marks an account before it erases its data."}}},
		{Key: "dead_letters", Address: braces(schema.DeadLetterSubject("queue", "account"), "queue", "account"),
			Title: "Dead letters", Summary: "Events that no worker could finish.",
			Stream: d.stream(schema.DeadLettersStream), Message: "dead_letter", Parameters: []string{"queue", "account"},
			Operations: []asyncOperation{{Key: "dead_letters.keep", Action: "send", Summary: "A worker keeps its own copy of an event before it gives the event up."}}},
		{Key: "quarantine", Address: braces(schema.QuarantineSubject("provider"), "provider"),
			Title: "Quarantine", Summary: "Signed webhooks that cannot be read.",
			Stream: d.stream(schema.QuarantineStream), Message: "quarantined", Parameters: []string{"provider"},
			Operations: []asyncOperation{{Key: "quarantine.keep", Action: "send", Summary: "Ingress keeps what it cannot read and answers 200."}}},
	}...)
	return d
}

func (d *asyncDocument) stream(name string) schema.Stream {
	for _, s := range d.Topology.Streams {
		if s.Name == name {
			return s
		}
	}
	return schema.Stream{}
}

func (d *asyncDocument) addEvent(w schema.WebhookType) {
	key := fmt.Sprintf("events.%s.%s.%s", w.Provider, w.Resource, w.Action)
	parameters := []string{"account"}
	title := w.Name
	if w.Resource == schema.Other {
		key, title, parameters = fmt.Sprintf("events.%s.other", w.Provider), "any type without a row of its own", []string{"type", "account"}
	}
	e := asyncEvent{Key: key, Name: w.Name, Title: fmt.Sprintf("%s: %s", w.Provider, title), Provider: string(w.Provider)}
	if w.Name != "" {
		e.Type = fmt.Sprintf("%s.%s", w.Provider, w.Name)
	}
	if _, ok := jsonschema.Webhook(w.Provider, w.Name); ok {
		e.Payload = fmt.Sprintf("./jsonschema/%s.%s.json", w.Provider, w.Name)
	}
	d.Events = append(d.Events, e)
	c := asyncChannel{
		Key: key, Address: schema.AccountEvents(w.Provider, w.Resource, w.Action, "{account}"), Title: e.Title, Summary: w.Does,
		Stream: d.stream(schema.EventsStream), Message: key, Parameters: parameters,
		Operations: []asyncOperation{{Key: key + ".store", Action: "send", Summary: "Ingress stores a verified webhook before it answers 200."}},
	}
	for _, r := range w.Workers {
		c.Operations = append(c.Operations, asyncOperation{
			Key: fmt.Sprintf("%s.%s", key, r), Action: "receive", Queue: schema.QueueName(w.Provider, r),
			Summary: fmt.Sprintf("The %s worker fetches what the event announces and completes it.", r),
		})
	}
	d.Channels = append(d.Channels, c)
}

// braces turns tokens of a subject into parameters.
func braces(subject string, tokens ...string) string {
	parts := strings.Split(subject, ".")
	for i, part := range parts {
		for _, token := range tokens {
			if part == token {
				parts[i] = "{" + token + "}"
			}
		}
	}
	return strings.Join(parts, ".")
}

// age is a duration as people say it.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0 && d > time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

// quoted is a string of YAML: what JSON says is the same there.
func quoted(s any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(fmt.Sprint(s))
	return strings.TrimSpace(b.String()), err
}

var asyncTemplate = template.Must(template.New(asyncAPIFile).Funcs(template.FuncMap{"q": quoted, "age": age}).Parse(
	`# Generated from catalogue.go, topology.go and jsonschema/ by asyncapi_test.go. Do not edit; in schema/ run: go test . -update
asyncapi: 3.0.0
info:
  title: Wagewire
  version: 1.0.0
  description: |-
    Wagewire receives the webhooks of payroll data providers, fetches the data that each one announces, and gives every one
    of them a last word: a completion.

    If you build on Wagewire, read the completions: subscribe to wagewire.completions.> on stream {{(index .Topology.Streams 1).Name}}
    with a durable consumer. The completion's id is your idempotency key. Everything else here is how Wagewire works inside.

    An account in a subject is a token: the id itself where it is made of at most 64 letters, digits, _ and -, else h_ and the
    unpadded base32 of its SHA-256. An id that people choose, Pinwheel's end_user_id, is always hashed. An event that names no
    account has the token _.
  license:
    name: Apache-2.0
defaultContentType: application/json
servers:
  nats:
    host: 127.0.0.1:4222
    protocol: nats
    description: A NATS server with JetStream. Set NATS_URL.
channels:
{{- range .Channels}}
  {{.Key}}:
    address: {{q .Address}}
    title: {{q .Title}}
    summary: {{q .Summary}}
    x-stream: {{.Stream.Name}}
    messages:
      {{.Message}}:
        $ref: {{printf "#/components/messages/%s" .Message | q}}
    parameters:
{{- range .Parameters}}
      {{.}}:
        $ref: {{printf "#/components/parameters/%s" . | q}}
{{- end}}
{{- end}}
operations:
{{- range $channel := .Channels}}{{range .Operations}}
  {{.Key}}:
    action: {{.Action}}
    channel:
      $ref: {{printf "#/channels/%s" $channel.Key | q}}
    summary: {{q .Summary}}
{{- with .Queue}}
    x-queue: {{.}}
{{- end}}
{{- end}}{{end}}
components:
  parameters:
    provider:
      description: The provider.
      enum:
{{- range .Providers}}
        - {{.}}
{{- end}}
    queue:
      description: The queue whose worker gave the event up.
      enum:
{{- range .QueueNames}}
        - {{.}}
{{- end}}
    account:
      description: The account's token.
    event:
      description: The event's id as a token.
    type:
      description: The provider's type as a token.
  messages:
{{- range .Events}}
    {{.Key}}:
      name: {{q .Key}}
      title: {{q .Title}}
      summary: The webhook's bytes, unchanged.
      contentType: application/json
      headers:
        type: object
        allOf:
          - $ref: "#/components/schemas/event_headers"
        properties:
          ce-source:
            const: {{printf "urn:wagewire:provider:%s" .Provider | q}}
{{- with .Type}}
          ce-type:
            const: {{q .}}
{{- end}}
      payload:
{{- if .Payload}}
        $ref: {{q .Payload}}
{{- else}}
        type: object
{{- end}}
{{- end}}
    completion:
      name: completion
      title: Completion
      summary: The last word on one event, a CloudEvent in structured JSON. Its id is the idempotency key.
      contentType: application/cloudevents+json
      headers:
        $ref: "#/components/schemas/completion_headers"
      payload:
        $ref: ./jsonschema/completion.v1.json
    tombstone:
      name: tombstone
      title: Tombstone
      summary: No content. That it is there says it all.
      headers:
        type: object
        required: [Nats-TTL]
        properties:
          Nats-TTL:
            description: It never expires.
            const: never
      payload:
        type: string
        maxLength: 0
    dead_letter:
      name: dead_letter
      title: Dead letter
      summary: A copy of the event, its bytes unchanged, with the reason why no worker could finish it.
      contentType: application/json
      headers:
        $ref: "#/components/schemas/dead_letter_headers"
      payload: {}
    quarantined:
      name: quarantined
      title: Quarantined webhook
      summary: The webhook's bytes, unchanged. They need not be JSON.
      contentType: application/octet-stream
      headers:
        $ref: "#/components/schemas/quarantine_headers"
      payload: {}
  schemas:
    event_headers:
      description: CloudEvents 1.0 in binary mode, and three of our own. What is not printable ASCII in ce-id and ce-type is percent-encoded.
      type: object
      required: [ce-specversion, ce-id, ce-source, ce-type, ce-subject, ce-time, content-type, Nats-Msg-Id, Wagewire-Received-At, Wagewire-Body-Sha256]
      properties:
        ce-specversion:
          const: "1.0"
        ce-id:
          description: The provider's id of the event, Pinwheel's event_id or Truv's webhook_id.
          type: string
        ce-source:
          description: urn:wagewire:provider:<provider>.
          type: string
        ce-type:
          description: <provider>.<the provider's type>.
          type: string
        ce-subject:
          description: The account's token.
          type: string
        ce-time:
          description: The provider's time of the event, or the time of receipt where it gives none.
          type: string
          format: date-time
        content-type:
          const: application/json
        traceparent:
          description: W3C trace context.
          type: string
        Nats-Msg-Id:
          description: <provider>:<event id as a token>. Within {{age (index .Topology.Streams 0).Duplicates}} it is stored once. In a dead letter it is <queue>:<sequence>.
          type: string
        Wagewire-Received-At:
          description: When the webhook was received.
          type: string
          format: date-time
        Wagewire-Body-Sha256:
          description: SHA-256 of the body, in lower-case hexadecimal.
          type: string
          pattern: "^[0-9a-f]{64}$"
        Wagewire-Redrive:
          description: Only where an operator sent the event again, n; ce-id and Nats-Msg-Id then end in :rn.
          type: string
          pattern: "^[0-9]+$"
        Wagewire-Queue:
          description: With Wagewire-Redrive, the one queue that works on it. In a dead letter, the queue whose worker gave it up.
          type: string
    completion_headers:
      type: object
      required: [content-type, Nats-Msg-Id, Wagewire-Outcome]
      properties:
        content-type:
          const: application/cloudevents+json
        traceparent:
          description: W3C trace context of the event.
          type: string
        Nats-Msg-Id:
          description: The completion's id, <provider>:<event id as a token>:<resource>.
          type: string
        Wagewire-Outcome:
          description: The completion's outcome, so that a consumer can choose by it without reading the body.
          type: string
          enum: [succeeded, pending, unavailable, failed, deleted]
    dead_letter_headers:
      description: The event's own headers, and why it is here.
      type: object
      allOf:
        - $ref: "#/components/schemas/event_headers"
      required: [Wagewire-Queue, Wagewire-Class, Wagewire-Reason, Wagewire-Attempts, Wagewire-Event-Sequence, Wagewire-Failed-At]
      properties:
        Wagewire-Queue:
          description: The queue whose worker gave the event up.
          type: string
        Wagewire-Class:
          description: The kind of error.
          type: string
        Wagewire-Reason:
          description: Why, in one word of a fixed list. It holds no personal data.
          type: string
        Wagewire-Attempts:
          description: How many times the event was handed to a worker.
          type: string
          pattern: "^[0-9]+$"
        Wagewire-Event-Sequence:
          description: The event's place in stream {{(index .Topology.Streams 0).Name}}.
          type: string
          pattern: "^[0-9]+$"
        Wagewire-Failed-At:
          description: When it was given up.
          type: string
          format: date-time
    quarantine_headers:
      type: object
      required: [Nats-Msg-Id, Wagewire-Reason, Wagewire-Received-At, Wagewire-Body-Sha256]
      properties:
        Nats-Msg-Id:
          description: <provider>:<SHA-256 of the body>.
          type: string
        Wagewire-Reason:
          description: What kept it from being read, in one word of a fixed list.
          type: string
        Wagewire-Received-At:
          description: When the webhook was received.
          type: string
          format: date-time
        Wagewire-Body-Sha256:
          description: SHA-256 of the body, in lower-case hexadecimal.
          type: string
          pattern: "^[0-9a-f]{64}$"
x-streams:
{{- range .Topology.Streams}}
  {{.Name}}:
    subjects:
{{- range .Subjects}}
      - {{q .}}
{{- end}}
    why: {{q .Why}}
    max-age: {{age .MaxAge}}
    duplicates: {{age .Duplicates}}
{{- if .CreateOnce}}
    create-once: true
{{- end}}
{{- end}}
x-object-store:
  {{.Topology.Records.Name}}:
    why: {{q .Topology.Records.Why}}
    max-age: {{age .Topology.Records.MaxAge}}
x-queues:
{{- range .Topology.Queues}}
  {{.Name}}:
    subjects:
{{- range .Subjects}}
      - {{q .}}
{{- end}}
    lease: {{age $.LeaseFor}}
    deliveries-max: {{$.Deliveries}}
{{- end}}
`))

func TestAsyncAPIIsWhatTheTablesSay(t *testing.T) {
	var b strings.Builder
	if err := asyncTemplate.Execute(&b, newAsyncDocument()); err != nil {
		t.Fatal(err)
	}
	current(t, asyncAPIFile, b.String())
}

func readAsyncAPI(t *testing.T) (text string, doc map[string]any) {
	t.Helper()
	raw, err := os.ReadFile(asyncAPIFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatalf("%s: %v", asyncAPIFile, err)
	}
	return string(raw), doc
}

func TestAsyncAPIHasAChannelForEveryTypeAndResource(t *testing.T) {
	_, doc := readAsyncAPI(t)
	addresses := map[string]string{}
	for key, channel := range doc["channels"].(map[string]any) {
		address := channel.(map[string]any)["address"].(string)
		if other, taken := addresses[address]; taken {
			t.Errorf("channels %s and %s share the address %s", key, other, address)
		}
		addresses[address] = key
	}
	// 34 and 19 types, other types of two providers, seven resources, tombstones, dead letters, quarantine.
	if got, want := len(addresses), 34+19+2+7+3; got != want {
		t.Errorf("there are %d channels, want %d", got, want)
	}
	for _, address := range []string{
		"wagewire.events.pinwheel.paystubs.added.{account}", "wagewire.events.truv.other.{type}.{account}",
		"wagewire.completions.pinwheel.verification_reports.{account}.{event}", "wagewire.tombstones.{provider}.{account}",
		"wagewire.dead_letters.{queue}.{account}", "wagewire.quarantine.{provider}",
	} {
		if addresses[address] == "" {
			t.Errorf("there is no channel at %s", address)
		}
	}
}

func TestEveryReferenceInAsyncAPIResolves(t *testing.T) {
	_, doc := readAsyncAPI(t)
	refs := 0
	var walk func(where string, value any)
	walk = func(where string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				walk(where+"/"+key, inner)
			}
			ref, ok := value["$ref"].(string)
			if !ok {
				return
			}
			refs++
			if file, isFile := strings.CutPrefix(ref, "./jsonschema/"); isFile {
				if _, err := jsonschema.FS.ReadFile(path.Clean(file)); err != nil {
					t.Errorf("%s: %s: %v", where, ref, err)
				}
				return
			}
			pointer, ok := strings.CutPrefix(ref, "#/")
			if !ok {
				t.Errorf("%s: %s is neither a file of jsonschema nor in the document", where, ref)
				return
			}
			target := doc
			for key := range strings.SplitSeq(pointer, "/") {
				if target, ok = target[key].(map[string]any); !ok {
					t.Errorf("%s: there is no %s", where, ref)
					return
				}
			}
		case []any:
			for i, inner := range value {
				walk(fmt.Sprintf("%s/%d", where, i), inner)
			}
		}
	}
	walk("#", doc)
	if refs < 200 {
		t.Errorf("only %d references were found", refs)
	}
}

func TestAParameterOfAnAddressIsDescribed(t *testing.T) {
	_, doc := readAsyncAPI(t)
	braced := regexp.MustCompile(`\{([a-z]+)\}`)
	for key, channel := range doc["channels"].(map[string]any) {
		c := channel.(map[string]any)
		parameters, _ := c["parameters"].(map[string]any)
		found := braced.FindAllStringSubmatch(c["address"].(string), -1)
		for _, name := range found {
			if parameters[name[1]] == nil {
				t.Errorf("channel %s does not describe {%s}", key, name[1])
			}
		}
		if len(found) != len(parameters) {
			t.Errorf("channel %s has %d parameters and describes %d", key, len(found), len(parameters))
		}
	}
}

// TestEveryHeaderIsInAsyncAPI reads the headers out of the one file that spells them.
func TestEveryHeaderIsInAsyncAPI(t *testing.T) {
	source, err := os.ReadFile("stream/header.go")
	if err != nil {
		t.Fatal(err)
	}
	headers := regexp.MustCompile(`(?m)^\s*header\w+\s*=\s*"([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(headers) < 10 {
		t.Fatalf("stream/header.go spells only %d headers", len(headers))
	}
	text, _ := readAsyncAPI(t)
	for _, header := range headers {
		if !strings.Contains(text, "\n        "+header[1]+":\n") {
			t.Errorf("%s does not describe the header %s", asyncAPIFile, header[1])
		}
	}
}
