package schema_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

const (
	asyncAPIFile     = "asyncapi.yaml"
	asyncAPITemplate = "testdata/asyncapi.yaml.tmpl"
)

// asyncChannel is one channel of asyncapi.yaml with its operations.
type asyncChannel struct {
	Key, Address, Title, Summary string
	Stream                       string
	Message                      string
	// Parameters are the names in braces in Address.
	Parameters []string
	Operations []asyncOperation
}

type asyncOperation struct{ Key, Action, Summary, Queue string }

// asyncEvent is the message of one webhook type.
type asyncEvent struct {
	Key, Type, Title, Provider, Payload string
}

// asyncCompletion is the message of the completions of one provider and resource.
type asyncCompletion struct{ Key, Title, Payload string }

type asyncDocument struct {
	Topology schema.Topology
	Channels []asyncChannel
	Events   []asyncEvent
	// Completions are those with typed records.
	Completions []asyncCompletion
	Providers   []schema.Provider
	QueueNames  []string
	LeaseFor    time.Duration
	Deliveries  int

	ClosureReasons []schema.ClosureReason
}

func newAsyncDocument() asyncDocument {
	d := asyncDocument{
		Topology: schema.DefaultTopology(), Providers: schema.Providers(),
		LeaseFor: schema.LeaseFor, Deliveries: schema.DeliveriesMax,
		ClosureReasons: schema.ClosureReasons(),
	}
	for _, w := range schema.Catalogue() {
		d.addEvent(w)
	}
	for _, p := range schema.Providers() {
		// The subject of an unknown type has the type's token as its action.
		d.addEvent(schema.WebhookType{
			Provider: p, Resource: schema.Other, Action: "{type}", Does: schema.Lookup(p, "").Does,
		})
	}
	for _, q := range d.Topology.Queues {
		d.QueueNames = append(d.QueueNames, q.Name)
		if !q.Erases { // an erasure's completion is one of its resource
			d.addCompletion(q)
		}
	}
	d.Channels = append(d.Channels, otherChannels()...)
	return d
}

// addCompletion adds the message and the channel of a queue's completions.
func (d *asyncDocument) addCompletion(q schema.Queue) {
	message := "completion"
	if _, ok := jsonschema.CompletionOf(q.Provider, q.Resource); ok {
		message = fmt.Sprintf("completion.%s.%s", q.Provider, q.Resource)
		d.Completions = append(d.Completions, asyncCompletion{
			Key:     message,
			Title:   fmt.Sprintf("Completion of %s %s", q.Provider, q.Resource),
			Payload: fmt.Sprintf("./jsonschema/completions/%s.%s.v1.json", q.Provider, q.Resource),
		})
	}
	key := fmt.Sprintf("completions.%s.%s", q.Provider, q.Resource)
	e := schema.Event{Provider: q.Provider, ID: "event", AccountID: "account"}
	d.Channels = append(d.Channels, asyncChannel{
		Key:     key,
		Address: addBraces(e.CompletionSubject(q.Resource), "account", "event"),
		Title:   fmt.Sprintf("Completions of %s", q.Resource),
		Summary: fmt.Sprintf("One completion for each event of queue %s.", q.Name),
		Stream:  schema.CompletionsStream, Message: message,
		Parameters: []string{"account", "event"},
		Operations: []asyncOperation{{
			Key: key + ".complete", Action: "send",
			Summary: "A worker completes an event, once for ever.",
		}},
	})
}

// otherChannels are the channels of neither events nor completions.
func otherChannels() []asyncChannel {
	everyCompletion := schema.Event{Provider: "provider", ID: "event", AccountID: "account"}
	return []asyncChannel{
		{
			Key: "completions",
			Address: addBraces(everyCompletion.CompletionSubject("resource"),
				"provider", "resource", "account", "event"),
			Title:   "All completions",
			Summary: "The completions of every provider and resource, with untyped records.",
			Stream:  schema.CompletionsStream, Message: "completion",
			Parameters: []string{"provider", "resource", "account", "event"},
			Operations: []asyncOperation{{
				Key: "completions.read", Action: "receive",
				Summary: "A team's program reads the completions of its durable.",
			}},
		},
		{
			Key: "accounts",
			Address: addBraces(schema.AccountSubject("provider", "account"),
				"provider", "account"),
			Title: "Accounts",
			Summary: "The state of each account: whether its data is complete, " +
				"and where the newest completions are.",
			Stream: schema.AccountsStream, Message: "account",
			Parameters: []string{"provider", "account"},
			Operations: []asyncOperation{{
				Key: "accounts.keep", Action: "send",
				Summary: "The worker accounts stores a new state in the place of the one before.",
			}},
		},
		{
			Key: "tombstones",
			Address: addBraces(schema.TombstoneSubject("provider", "account"),
				"provider", "account"),
			Title: "Tombstones",
			Summary: "The mark of an erased account. While it exists, " +
				"no completion with data of the account is stored.",
			Stream: schema.CompletionsStream, Message: "tombstone",
			Parameters: []string{"provider", "account"},
			Operations: []asyncOperation{{
				Key: "tombstones.erase", Action: "send",
				Summary: "A worker marks an account before it erases the account's data.",
			}},
		},
		{
			Key:     "dead_letters",
			Address: addBraces(schema.DeadLetterSubject("queue", "account"), "queue", "account"),
			Title:   "Dead letters",
			Summary: "Events that no worker could finish.",
			Stream:  schema.DeadLettersStream, Message: "dead_letter",
			Parameters: []string{"queue", "account"},
			Operations: []asyncOperation{{
				Key: "dead_letters.keep", Action: "send",
				Summary: "A worker stores a copy of an event before it gives up on the event.",
			}},
		},
		{
			Key: "waiting",
			Address: strings.TrimSuffix(addBraces(schema.AccountWaiting("queue", "account"),
				"queue", "account"), "*") + "{event}",
			Title:   "Waiting events",
			Summary: "Events that wait for their next try: schedules of the broker, without a body.",
			Stream:  schema.EveryWaitingStream, Message: "waiting",
			Parameters: []string{"queue", "account", "event"},
			Operations: []asyncOperation{{
				Key: "waiting.wait", Action: "send",
				Summary: "A worker lets an event wait.",
			}},
		},
		{
			Key:     "retries",
			Address: addBraces(schema.RetriesSubject("queue", "account"), "queue", "account"),
			Title:   "Retries",
			Summary: "Events whose time to wait is over. The broker publishes them.",
			Stream:  schema.EveryWaitingStream, Message: "waiting",
			Parameters: []string{"queue", "account"},
			Operations: []asyncOperation{{
				Key: "retries.take", Action: "receive",
				Summary: "A worker tries the event again.",
			}},
		},
		{
			Key:     "replays",
			Address: addBraces(schema.ReplaysSubject("queue", "account"), "queue", "account"),
			Title:   "Replays",
			Summary: "Redrives and backfills that may be tried: they come after fresh events.",
			Stream:  schema.EveryWaitingStream, Message: "waiting",
			Parameters: []string{"queue", "account"},
			Operations: []asyncOperation{
				{
					Key: "replays.put_behind", Action: "send",
					Summary: "A worker puts a redrive or a backfill behind fresh events.",
				},
				{
					Key: "replays.take", Action: "receive",
					Summary: "A worker tries the event.",
				},
			},
		},
		{
			Key:     "pauses",
			Address: addBraces(schema.PauseSubject("queue"), "queue"),
			Title:   "Pauses",
			Summary: "The state of a queue whose provider refuses our credentials.",
			Stream:  schema.PausesStream, Message: "pause",
			Parameters: []string{"queue"},
			Operations: []asyncOperation{{
				Key: "pauses.tell", Action: "send",
				Summary: "A worker begins, prolongs or ends the pause of its queue.",
			}},
		},
		{
			Key:     "closures",
			Address: addBraces(schema.ClosureSubject("scope", "reason"), "scope", "reason"),
			Title:   "Closures",
			Summary: "Why a queue needs no more workers at the moment, for an autoscaler.",
			Stream:  schema.ClosuresStream, Message: "closure",
			Parameters: []string{"scope", "reason"},
			Operations: []asyncOperation{{
				Key: "closures.tell", Action: "send",
				Summary: "A worker or an operator begins, prolongs or ends a closure.",
			}},
		},
		{
			Key:     "quarantine",
			Address: addBraces(schema.QuarantineSubject("provider"), "provider"),
			Title:   "Quarantine",
			Summary: "Signed but unreadable webhooks.",
			Stream:  schema.QuarantineStream, Message: "quarantined",
			Parameters: []string{"provider"},
			Operations: []asyncOperation{{
				Key: "quarantine.keep", Action: "send",
				Summary: "Ingress stores an unreadable webhook and answers 200.",
			}},
		},
	}
}

// addEvent adds the message and the channel of a webhook type.
func (d *asyncDocument) addEvent(w schema.WebhookType) {
	key := fmt.Sprintf("events.%s.%s.%s", w.Provider, w.Resource, w.Action)
	title := w.Name
	parameters := []string{"account"}
	if w.Resource == schema.Other {
		key = fmt.Sprintf("events.%s.other", w.Provider)
		title = "any type without a row of its own"
		parameters = []string{"type", "account"}
	}
	e := asyncEvent{
		Key: key, Title: fmt.Sprintf("%s: %s", w.Provider, title), Provider: string(w.Provider),
	}
	if w.Name != "" {
		e.Type = fmt.Sprintf("%s.%s", w.Provider, w.Name)
	}
	if _, ok := jsonschema.Webhook(w.Provider, w.Name); ok {
		e.Payload = fmt.Sprintf("./jsonschema/%s.%s.json", w.Provider, w.Name)
	}
	d.Events = append(d.Events, e)
	c := asyncChannel{
		Key:     key,
		Address: schema.AccountEvents(w.Provider, w.Resource, w.Action, "{account}"),
		Title:   e.Title, Summary: w.Does,
		Stream: schema.EventsStream, Message: key,
		Parameters: parameters,
		Operations: []asyncOperation{{
			Key: key + ".store", Action: "send",
			Summary: "Ingress stores a verified webhook before it answers 200.",
		}},
	}
	for _, r := range w.Workers {
		c.Operations = append(c.Operations, asyncOperation{
			Key: fmt.Sprintf("%s.%s", key, r), Action: "receive",
			Queue:   queueOf(w, r),
			Summary: receiveSummary(r),
		})
	}
	d.Channels = append(d.Channels, c)
}

// receiveSummary says what the worker of a resource does with an event.
func receiveSummary(r schema.Resource) string {
	if r == schema.Notices {
		return "The notices worker completes the event with the payload of the webhook."
	}
	return fmt.Sprintf("The %s worker fetches the announced data and completes the event.", r)
}

// queueOf is the name of the queue in which a resource's worker finds the events of a type.
func queueOf(w schema.WebhookType, r schema.Resource) string {
	if w.Erases {
		return schema.ErasuresName(w.Provider)
	}
	return schema.QueueName(w.Provider, r)
}

// addBraces turns tokens of a subject into parameters.
func addBraces(subject string, tokens ...string) string {
	parts := strings.Split(subject, ".")
	for i, part := range parts {
		if slices.Contains(tokens, part) {
			parts[i] = "{" + part + "}"
		}
	}
	return strings.Join(parts, ".")
}

// formatAge writes a duration in its largest unit without a remainder.
func formatAge(d time.Duration) string {
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

// quote writes a string for YAML, as a string of JSON.
func quote(s any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(fmt.Sprint(s))
	return strings.TrimSpace(b.String()), err
}

func TestAsyncAPIIsWhatTheTablesSay(t *testing.T) {
	functions := template.FuncMap{"q": quote, "age": formatAge}
	tmpl, err := template.New(path.Base(asyncAPITemplate)).Funcs(functions).
		ParseFiles(asyncAPITemplate)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, newAsyncDocument()); err != nil {
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
	// Each provider has one channel for unknown types. Ten more channels are all completions,
	// accounts, tombstones, dead letters, waiting events, retries, replays, pauses, closures and
	// quarantine.
	want := len(schema.Catalogue()) + len(schema.Providers()) + 10
	for _, q := range schema.Queues() {
		if !q.Erases {
			want++
		}
	}
	if got := len(addresses); got != want {
		t.Errorf("there are %d channels, want %d", got, want)
	}
	for _, address := range []string{
		"wagewire.events.pinwheel.paystubs.added.{account}",
		"wagewire.events.truv.other.{type}.{account}",
		"wagewire.completions.pinwheel.verification_reports.{account}.{event}",
		"wagewire.completions.{provider}.{resource}.{account}.{event}",
		"wagewire.accounts.{provider}.{account}",
		"wagewire.tombstones.{provider}.{account}",
		"wagewire.dead_letters.{queue}.{account}", "wagewire.quarantine.{provider}",
		"wagewire.waiting.{queue}.{account}.{event}", "wagewire.retries.{queue}.{account}",
		"wagewire.replays.{queue}.{account}", "wagewire.pauses.{queue}",
		"wagewire.closures.{scope}.{reason}",
	} {
		if addresses[address] == "" {
			t.Errorf("there is no channel at %s", address)
		}
	}
}

func TestEveryReferenceInAsyncAPIResolves(t *testing.T) {
	_, doc := readAsyncAPI(t)
	references := 0
	var walk func(where string, value any)
	walk = func(where string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				walk(where+"/"+key, inner)
			}
			if ref, ok := value["$ref"].(string); ok {
				references++
				if err := resolve(doc, ref); err != nil {
					t.Errorf("%s: %v", where, err)
				}
			}
		case []any:
			for i, inner := range value {
				walk(fmt.Sprintf("%s/%d", where, i), inner)
			}
		}
	}
	walk("#", doc)
	if references < 200 {
		t.Errorf("only %d references were found", references)
	}
}

// resolve returns an error if a reference leads neither to a schema's file nor into the document.
func resolve(doc map[string]any, ref string) error {
	if file, ok := strings.CutPrefix(ref, "./jsonschema/"); ok {
		name := path.Clean(file)
		_, err := jsonschema.FS.ReadFile(name)
		if err != nil {
			_, err = jsonschema.Completions.ReadFile(name)
		}
		return err
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return fmt.Errorf("%s is neither a file of jsonschema nor in the document", ref)
	}
	target := doc
	for key := range strings.SplitSeq(pointer, "/") {
		target, ok = target[key].(map[string]any)
		if !ok {
			return fmt.Errorf("there is no %s", ref)
		}
	}
	return nil
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
			t.Errorf("channel %s has %d parameters and describes %d",
				key, len(found), len(parameters))
		}
	}
}

// TestEveryHeaderIsInAsyncAPI reads the names of headers from the source of package stream.
func TestEveryHeaderIsInAsyncAPI(t *testing.T) {
	files, err := filepath.Glob("stream/*.go")
	if err != nil {
		t.Fatal(err)
	}
	spelling := regexp.MustCompile(`(?m)^\s*header\w+\s*=\s*"([^"]+)"`)
	var headers []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range spelling.FindAllStringSubmatch(string(source), -1) {
			headers = append(headers, match[1])
		}
	}
	if len(headers) < 10 {
		t.Fatalf("package stream spells only %d headers", len(headers))
	}
	text, _ := readAsyncAPI(t)
	for _, header := range headers {
		if !strings.Contains(text, "\n        "+header+":\n") {
			t.Errorf("%s does not describe the header %s", asyncAPIFile, header)
		}
	}
}
