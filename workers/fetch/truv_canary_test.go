package fetch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/fetch"
)

// Canaries stand for what Truv's answers and webhooks have of a person.
const (
	canarySSN     = "987-65-4321"
	canaryAccount = "000123456789"
	canaryToken   = "CANARY-TOKEN"
	canaryName    = "Canary Quillfeather"
	canaryIncome  = "31337.42"
)

var allCanaries = []string{
	canarySSN, canaryAccount, canaryToken, canaryName, canaryIncome,
}

// canaryTruv is Truv's API. The id of a link says how the API answers each call about it.
type canaryTruv struct{}

// RoundTrip answers without a socket.
func (canaryTruv) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/links/"), "/")
	const quoting = canarySSN + " " + canaryAccount + " " + canaryToken + " " + canaryName
	status, ok := map[string]int{
		"ok": 200, "list": 200, "scalar": 200, "html": 200, "cut": 200,
		"bad": 400, "forbidden": 403, "absent": 404, "conflict": 409, "gone": 410, "odd": 422,
	}[answer]
	if !ok {
		return nil, fmt.Errorf("no answer %s", answer)
	}
	body := `{"error":{"code":"` + quoting + `","message":"` + quoting + `","type":"` + quoting +
		`"},"detail":"` + quoting + `"}`
	switch answer {
	case "ok":
		body = canaryData(path)
	case "list":
		body = `{"results":["` + quoting + `"],"` + quoting + `":1}`
		if !strings.HasSuffix(path, "s/") { // an object is expected
			body = `["` + quoting + `"]`
		}
	case "scalar":
		body = `"` + quoting + `"`
	case "html":
		body = `<html>` + quoting
	case "cut":
		body = `[{"ssn":"` + quoting + `","access_token":"` + canaryToken
	}
	return &http.Response{
		StatusCode: status, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// canaryData is what Truv has of a link.
func canaryData(path string) string {
	const (
		token    = `"access_token":"` + canaryToken + `"`
		accounts = `"bank_accounts":[{"account_number":"` + canaryAccount + `",` + token + `}]`
		profile  = `{"id":"obj-1","ssn":"` + canarySSN + `","full_name":"` + canaryName + `",` +
			token + `}`
	)
	switch path {
	case "employments/":
		return `[{"id":"obj-1","income":"` + canaryIncome + `",` + token + `,` + accounts + `}]`
	case "identity/":
		return profile
	case "bank_accounts/":
		return `[{"account_number":"` + canaryAccount + `",` + token + `}]`
	case "income/report/":
		return `{"id":"r1","status":"done",` + token + `,"employments":[{"profile":` + profile +
			`,"statements":[{"net_pay":"` + canaryIncome + `"}],` + accounts + `}]}`
	default: // statements and shifts
		return `{"count":1,"next":null,"results":[{"id":"x1","net_pay":"` + canaryIncome + `",` +
			token + `,` + accounts + `}]}`
	}
}

// canaryEvent is a webhook about the link.
func canaryEvent(t *testing.T, id, name, account, members string) schema.Event {
	t.Helper()
	row := schema.Lookup(schema.Truv, name)
	body := `{"webhook_id":"` + id + `","event_type":"` + name + `","link_id":"` + account +
		`","object_id":"obj-1","employment_id":"emp-1","objects_count":1,"product":"income",` +
		`"tracking_info":"` + canaryName + `","error_message":"` + canarySSN + `"` + members + `}`
	if !json.Valid([]byte(body)) {
		t.Fatal(body)
	}
	return schema.Event{
		Provider: schema.Truv, ID: id, Type: name, Resource: row.Resource, Action: row.Action,
		AccountID: account, Body: []byte(body), OccurredAt: announced,
		ReceivedAt: announced.Add(time.Second),
	}
}

// canaryLine runs the workers of Truv's data, and sees all that they show.
type canaryLine struct {
	*testing.T
	js       jetstream.JetStream
	registry *prometheus.Registry
	lines    *observer.ObservedLogs
	spans    *tracetest.SpanRecorder
	publish  func(schema.Event)
}

func startCanaryLine(t *testing.T) *canaryLine {
	t.Helper()
	server, conn := streamtest.New(t)
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	l := &canaryLine{T: t, registry: prometheus.NewRegistry(), spans: tracetest.NewSpanRecorder()}
	if l.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	l.publish = func(e schema.Event) {
		if _, err := conn.PublishEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	var core zapcore.Core
	core, l.lines = observer.New(zap.DebugLevel)
	env := map[string]string{
		"TRUV_CLIENT_ID":          "client",
		"TRUV_ACCESS_SECRET_FILE": secretFile(t, "a-secret-of-some-length"),
		"TRUV_RATE_PER_S":         "1000000",
		"RETRY_LADDER":            "1ms",
		"NOT_READY_LADDER":        "1ms",
	}
	of := around(env)
	of.Registry = l.registry
	of.Log = zap.New(core)
	of.Transport = canaryTruv{}
	of.Budget = func(p schema.Provider) pace.Store { return conn.Budget(p) }
	sources, err := fetch.OpenAll(of)
	if err != nil {
		t.Fatal(err)
	}
	config, err := workers.ConfigFromEnv(of.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	config.StopFor = time.Second
	config.Tracing = sdk.NewTracerProvider(sdk.WithSpanProcessor(l.spans))
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error)
	for r, bySource := range sources {
		w := workers.New(r, bySource, server.Connect(t), config, of.Log, l.registry)
		go func() { ran <- w.Run(ctx) }()
	}
	t.Cleanup(func() {
		stop()
		for range sources {
			if err := <-ran; err != nil {
				t.Error(err)
			}
		}
	})
	return l
}

// stored returns the newest message with the subject, or nil.
func (l *canaryLine) stored(name, subject string) *jetstream.RawStreamMsg {
	l.Helper()
	s, err := l.js.Stream(l.Context(), name)
	if err != nil {
		l.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(l.Context(), subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		l.Fatal(err)
	}
	return m
}

// completed waits for a completion.
func (l *canaryLine) completed(e schema.Event, r schema.Resource) (
	c schema.Completion, stored *jetstream.RawStreamMsg,
) {
	l.Helper()
	streamtest.Eventually(l, fmt.Sprintf("%s of %s is completed", r, e.ID), func() bool {
		stored = l.stored(schema.CompletionsStream, e.CompletionSubject(r))
		return stored != nil
	})
	if err := json.Unmarshal(stored.Data, &c); err != nil {
		l.Fatal(err)
	}
	return c, stored
}

// wantNone fails the test if a canary is in the text.
func (l *canaryLine) wantNone(where, text string) {
	l.Helper()
	for _, canary := range allCanaries {
		if strings.Contains(text, canary) {
			l.Errorf("%s shows %q: %s", where, canary, text)
		}
	}
}

// wantNoneShown fails the test if a log line, a metric or a span has a canary.
func (l *canaryLine) wantNoneShown() {
	l.Helper()
	if l.lines.FilterMessage("job").Len() == 0 || len(l.spans.Ended()) == 0 {
		l.Error("there is nothing to see")
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"})
	for _, line := range l.lines.All() {
		text, err := encoder.EncodeEntry(line.Entry, line.Context)
		if err != nil {
			l.Fatal(err)
		}
		l.wantNone("a log line", text.String())
	}
	families, err := l.registry.Gather()
	if err != nil {
		l.Fatal(err)
	}
	for _, family := range families {
		l.wantNone("a metric", family.String())
	}
	for _, span := range l.spans.Ended() {
		l.wantNone("a span",
			fmt.Sprintln(span.Name(), span.Attributes(), span.Events(), span.Status()))
	}
}

func TestNothingOfTruvsAnswersIsShownOutsideOfTheirRecords(t *testing.T) {
	t.Parallel()
	l := startCanaryLine(t)
	const failed, unavailable = schema.Failed, schema.Unavailable
	outcomes := map[string]schema.Outcome{
		"ok": schema.Succeeded, "list": failed, "scalar": failed, "html": failed, "cut": failed,
		"bad": failed, "forbidden": unavailable, "absent": unavailable, "conflict": unavailable,
		"gone": unavailable, "odd": failed,
	}
	var events []schema.Event
	for answer := range outcomes {
		for _, name := range []string{
			"employment-created", "employment-updated", "profile-created", "statements-created",
			"shifts-updated", "bank-accounts-created", "task-status-updated",
		} {
			e := canaryEvent(t, answer+"."+name, name, answer, `,"status":"done"`)
			events = append(events, e)
			l.publish(e)
		}
	}
	mayHave := map[schema.Resource][]string{
		schema.Employment: {canaryIncome}, schema.Income: {canaryIncome},
		schema.Paystubs: {canaryIncome}, schema.Shifts: {canaryIncome},
		schema.Identity:     {canarySSN, canaryName},
		schema.BankAccounts: {canaryAccount},
		schema.VerificationReports: {
			canarySSN, canaryName, canaryIncome,
		},
	}
	for _, e := range events {
		for _, r := range schema.Lookup(schema.Truv, e.Type).Workers {
			c, stored := l.completed(e, r)
			if want := outcomes[e.AccountID]; c.Data.Outcome != want {
				t.Errorf("%s of %s: outcome %s, want %s", r, e.ID, c.Data.Outcome, want)
			}
			if c.Data.ObjectID != "obj-1" || c.Data.EmploymentID != "emp-1" {
				t.Errorf("%s of %s: object %q, employment %q", r, e.ID, c.Data.ObjectID,
					c.Data.EmploymentID)
			}
			l.wantNone("a header", fmt.Sprint(stored.Header))
			text := string(stored.Data)
			if e.AccountID == "ok" {
				for _, canary := range mayHave[r] {
					if !strings.Contains(text, canary) {
						t.Errorf("%s of %s lacks %s: %s", r, e.ID, canary, text)
					}
					text = strings.ReplaceAll(text, canary, "")
				}
			}
			l.wantNone("a completion", text)
			letter := l.stored(schema.DeadLettersStream,
				schema.DeadLetterSubject("truv_"+string(r), e.Account()))
			if letter != nil {
				l.wantNone("a dead letter", fmt.Sprint(letter.Header))
			}
			if isFailed := c.Data.Outcome == failed; isFailed && letter == nil {
				t.Errorf("%s of %s has no dead letter", r, e.ID)
			}
		}
	}
	l.wantNoneShown()
}

func TestATaskOfTruvEndsWithItsWordAndWithoutItsText(t *testing.T) {
	t.Parallel()
	l := startCanaryLine(t)
	withData := []schema.Resource{
		schema.VerificationReports, schema.Employment, schema.Identity, schema.Income,
		schema.Paystubs, schema.Shifts, schema.BankAccounts,
	}
	for _, row := range []struct {
		promise, account, status, product string
		outcome                           schema.Outcome
		code                              string
		supported                         []schema.Resource
	}{
		{"a task on its way is pending", "ok", "parse", "income", schema.Pending, "", nil},
		{"a task that is done brings its report", "ok", "done", "income", schema.Succeeded, "",
			withData},
		{"a task that failed is failed, and only its report was to come", "ok", "login_error",
			"income", schema.Failed, "login_error", reportAlone},
		{"a task without data is unavailable", "ok", "no_data", "income", schema.Unavailable,
			"no_data", reportAlone},
		{"a task of another product has no report", "ok", "done", "pll", schema.Unavailable,
			schema.CodeNoReport, nil},
		{"a report that never comes is unavailable, and only it was to come", "absent", "done",
			"income", schema.Unavailable, "unknown_705df9b3", reportAlone},
		{"a report that is refused failed, and only it was to come", "bad", "done", "income",
			schema.Failed, "unknown_705df9b3", reportAlone},
	} {
		t.Run(row.promise, func(*testing.T) {
			members := `,"status":"` + row.status + `"`
			e := canaryEvent(t, row.account+"."+row.status+"."+row.product, "task-status-updated",
				row.account, members)
			e.Body = []byte(strings.Replace(string(e.Body), `"product":"income"`,
				`"product":"`+row.product+`"`, 1))
			l.publish(e)
			c, stored := l.completed(e, schema.VerificationReports)
			code := ""
			if c.Data.Error != nil {
				code = c.Data.Error.Code
			}
			if c.Data.Outcome != row.outcome || code != row.code {
				t.Errorf("%s: outcome %s with code %q", row.promise, c.Data.Outcome, code)
			}
			if diff := cmp.Diff(asSet(row.supported), asSet(c.Data.Supported)); diff != "" {
				t.Errorf("%s: supported (-want +got):\n%s", row.promise, diff)
			}
			if row.outcome != schema.Succeeded {
				l.wantNone("a completion", string(stored.Data))
			}
		})
	}
	l.wantNoneShown()
}

// asSet returns the resources without their order.
func asSet(resources []schema.Resource) map[schema.Resource]bool {
	set := map[schema.Resource]bool{}
	for _, r := range resources {
		set[r] = true
	}
	return set
}

// A link that connects again has its data created again. Each webhook is completed.
func TestACreationThatComesTwiceIsCompletedTwice(t *testing.T) {
	t.Parallel()
	l := startCanaryLine(t)
	var sequences []string
	for _, id := range []string{"first", "second"} {
		e := canaryEvent(t, id, "employment-created", "ok", "")
		l.publish(e)
		c, _ := l.completed(e, schema.Employment)
		if c.Data.Outcome != schema.Succeeded || len(c.Data.Records) != 1 || c.Data.Event.ID != id {
			t.Errorf("completion %+v", c)
		}
		sequences = append(sequences, c.Sequence)
	}
	if sequences[0] >= sequences[1] {
		t.Errorf("sequences %v: the later webhook is not the newer", sequences)
	}
}
