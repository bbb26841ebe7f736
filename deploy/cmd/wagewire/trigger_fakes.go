package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

const (
	controlDefault = "http://127.0.0.1:8081/control"
	// controlFor is how long the fakes may take to send a webhook as often as --times says.
	controlFor = 2 * time.Minute
	// callFor is how long to wait for a worker's call to the fakes, and callEvery the time between
	// two looks.
	callFor   = 5 * time.Second
	callEvery = 50 * time.Millisecond
	// controlBytesMax is the size of the largest answer of the control tree.
	controlBytesMax = 8 << 20
)

// letFakesSend lets the fake providers make an account and send the webhook about it.
func (o *triggerOptions) letFakesSend(
	ctx context.Context, t terminal, w schema.WebhookType, f ending,
) error {
	ctx, cancel := context.WithTimeout(ctx, controlFor)
	defer cancel()
	fakes := fakeControl{url: o.control}
	account, err := o.chooseAccount(ctx, t, fakes, f)
	if err != nil {
		return err
	}
	err = letFakesSendOne(ctx, t, fakes, webhookOrder{
		Type: w.Name, Provider: string(w.Provider), Account: account,
		ID: o.id, Outcome: f.outcome, Times: o.times,
		Status: f.status, ObjectsCount: f.objectsCount,
	})
	if err != nil {
		return err
	}
	sayNext(t.stderr, w, f)
	return nil
}

// chooseAccount returns the account of --account, which the fakes must know, or a new one. About an
// unknown account the fakes would send a webhook whose data no worker can get.
func (o *triggerOptions) chooseAccount(
	ctx context.Context, t terminal, fakes fakeControl, f ending,
) (string, error) {
	if o.account == "" {
		return o.letFakesOpen(ctx, t, fakes, f)
	}
	isKnown, err := fakes.knows(ctx, o.account)
	if err != nil {
		return "", err
	}
	if !isKnown {
		return "", fmt.Errorf("the fakes know no account %s: leave --account out for a new one; "+
			"curl %s lists those that are there", plain.Word(o.account),
			strings.TrimSuffix(fakes.url, "/")+"/people")
	}
	return o.account, nil
}

// letFakesOpen lets the fakes make a person, and send the webhook that comes before the fixture's
// own. It returns the id of the person's account.
func (o *triggerOptions) letFakesOpen(
	ctx context.Context, t terminal, fakes fakeControl, f ending,
) (account string, err error) {
	account, err = fakes.makePerson(ctx, f.person, o.endUser)
	if err != nil || f.before == "" {
		return account, err
	}
	calls, err := fakes.countCalls(ctx)
	if err != nil {
		return "", err
	}
	order := webhookOrder{Type: f.before, Account: account}
	if err := letFakesSendOne(ctx, t, fakes, order); err != nil {
		return "", err
	}
	return account, fakes.awaitCall(ctx, calls)
}

// letFakesSendOne lets the fakes send a webhook and prints the answer of ingress.
func letFakesSendOne(
	ctx context.Context, t terminal, fakes fakeControl, order webhookOrder,
) error {
	began := time.Now()
	sent, err := fakes.send(ctx, order)
	if err != nil {
		return err
	}
	return sent.print(t.stdout, time.Since(began))
}

// playFile lets the fakes play a file of wagewire record.
func (o *triggerOptions) playFile(ctx context.Context, t terminal, typeName string) error {
	hasMore := o.overrides != overrides{} || o.provider != "" || o.times != 1 || o.url != ""
	if typeName != "" || hasMore {
		return command.UsageError("the file of --fixture has a webhook of its own: " +
			"only --control goes with it")
	}
	text, err := os.ReadFile(o.fixture)
	if err != nil {
		return fmt.Errorf("--fixture: %w", err)
	}
	if !json.Valid(text) {
		return fmt.Errorf("--fixture: %s is not JSON", o.fixture)
	}
	ctx, cancel := context.WithTimeout(ctx, controlFor)
	defer cancel()
	began := time.Now()
	sent, err := fakeControl{url: o.control}.play(ctx, text)
	if err != nil {
		return err
	}
	if err := sent.print(t.stdout, time.Since(began)); err != nil {
		return err
	}
	sayNext(t.stderr, schema.Lookup(schema.Provider(sent.Provider), sent.Type), ending{})
	return nil
}

// print prints each answer of ingress on a line. took is how long the only answer took. The error
// says why ingress has not stored the webhook.
func (s sentWebhook) print(w io.Writer, took time.Duration) error {
	copies := s.Copies
	if len(copies) == 0 {
		copies = []sentCopy{{
			Status: s.Status, Error: s.Error, Answer: s.Answer, Took: duration(took),
		}}
	}
	provider := schema.Provider(s.Provider)
	about := formatAbout(schema.Lookup(provider, s.Type), s.Account)
	lost := 0
	advice := ""
	for _, c := range copies {
		if c.Status == 0 {
			return fmt.Errorf("ingress does not answer the fake providers: %s", c.Error)
		}
		answer := newResponse(c.Status, c.Answer, time.Duration(c.Took))
		if _, err := fmt.Fprintf(w, "%s %s %s\n", plain.Word(s.Type), about, answer); err != nil {
			return err
		}
		if !answer.isStored() {
			lost++
			advice = answer.advice(provider)
		}
	}
	switch {
	case lost == 0:
		return nil
	case len(copies) == 1:
		return errors.New("not stored" + advice)
	default:
		return fmt.Errorf("%d of %d not stored%s", lost, len(copies), advice)
	}
}

// formatAbout says whom a webhook of the type is about: account=ID, or end_user=ID.
func formatAbout(t schema.WebhookType, id string) string {
	if t.NamesEndUser {
		return "end_user=" + plain.Word(id)
	}
	return "account=" + plain.Word(id)
}

// sayNext says where the completions of a webhook appear.
func sayNext(w io.Writer, t schema.WebhookType, f ending) {
	if len(t.Workers) == 0 {
		fmt.Fprintf(w, "no completion comes: Wagewire only stores %s\n", t.Name)
		return
	}
	if f.note != "" {
		fmt.Fprintln(w, "note: "+f.note)
	}
	fmt.Fprintln(w, "next: wagewire listen shows the completion as your program gets it, "+
		"and wagewire trace ID the way of the webhook")
}

// fakeControl is the control tree of the fake providers.
type fakeControl struct {
	// url is the address of the tree, with /control.
	url string
}

// webhookOrder is the body of POST /control/webhooks.
type webhookOrder struct {
	Type     string `json:"type"`
	Provider string `json:"provider,omitempty"`
	Account  string `json:"account"`
	ID       string `json:"id,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	Times    int    `json:"times,omitempty"`
	// Status and ObjectsCount are members of Truv's webhooks.
	Status       string `json:"status,omitempty"`
	ObjectsCount int    `json:"objects_count,omitempty"`
}

// sentWebhook is the answer to a webhookOrder.
type sentWebhook struct {
	Provider string `json:"provider"`
	Type     string `json:"type"`
	Account  string `json:"account"`
	// Status is the status of ingress' answer, 0 without an answer.
	Status int    `json:"status"`
	Error  string `json:"error"`
	// Answer is the body of the answer.
	Answer json.RawMessage `json:"answer"`
	// Copies has the answers to a webhook that is sent more than once.
	Copies []sentCopy `json:"copies"`
}

// sentCopy is the answer of ingress to a copy of a webhook.
type sentCopy struct {
	Status int             `json:"status"`
	Error  string          `json:"error"`
	Answer json.RawMessage `json:"answer"`
	Took   duration        `json:"took"`
}

// duration is a duration as the fakes spell it, such as "12ms".
type duration time.Duration

// UnmarshalText reads a duration.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// makePerson makes a person with an account at each provider and returns an id of the person.
func (f fakeControl) makePerson(
	ctx context.Context, options map[string]any, endUser string,
) (id string, err error) {
	order := map[string]any{}
	maps.Copy(order, options)
	if endUser != "" {
		order["end_user_id"] = endUser
	}
	var person struct {
		ID string `json:"id"`
	}
	err = f.post(ctx, "people", order, &person)
	return person.ID, err
}

// knows reports whether a person of the fakes has the id: of an account, an end user or a link.
func (f fakeControl) knows(ctx context.Context, id string) (bool, error) {
	var person struct{}
	err := f.do(ctx, http.MethodGet, "people/"+url.PathEscape(id), nil, &person)
	refusal, isRefusal := errors.AsType[*controlError](err)
	if isRefusal && refusal.status == http.StatusNotFound && refusal.reason != "" {
		return false, nil
	}
	return err == nil, err
}

// send lets the fakes send a webhook.
func (f fakeControl) send(ctx context.Context, order webhookOrder) (sentWebhook, error) {
	var sent sentWebhook
	err := f.post(ctx, "webhooks", order, &sent)
	return sent, err
}

// play lets the fakes play a fixture.
func (f fakeControl) play(ctx context.Context, fixture json.RawMessage) (sentWebhook, error) {
	var sent sentWebhook
	err := f.post(ctx, "fixtures", fixture, &sent)
	return sent, err
}

// countCalls counts the calls to the fakes' APIs.
func (f fakeControl) countCalls(ctx context.Context) (int, error) {
	var calls struct {
		Total int `json:"total"`
	}
	err := f.do(ctx, http.MethodGet, "calls", nil, &calls)
	return calls.Total, err
}

// awaitCall returns when the APIs have had more calls than before, or after callFor. Then a worker
// has the data that the next webhook deletes.
func (f fakeControl) awaitCall(ctx context.Context, before int) error {
	late := time.NewTimer(callFor)
	defer late.Stop()
	look := time.NewTicker(callEvery)
	defer look.Stop()
	for {
		calls, err := f.countCalls(ctx)
		if err != nil || calls > before {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return nil
		case <-look.C:
		}
	}
}

// post sends an order to the control tree and reads the answer.
func (f fakeControl) post(ctx context.Context, path string, order, answer any) error {
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	return f.do(ctx, http.MethodPost, path, body, answer)
}

// do sends a request to the control tree and reads the answer.
func (f fakeControl) do(
	ctx context.Context, method, path string, body []byte, answer any,
) error {
	base, err := url.Parse(f.url)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return command.UsageError("--control: %q is not an http or https address, such as %s",
			f.url, controlDefault)
	}
	target := base.JoinPath(path).String()
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	received, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no fake providers at %s: %w: start the sandbox (make run), "+
			"give --control, or send a sample with --url", f.url, withoutURL(err))
	}
	defer received.Body.Close()
	text, err := io.ReadAll(io.LimitReader(received.Body, controlBytesMax))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", target, err)
	}
	if received.StatusCode >= http.StatusMultipleChoices {
		var refusal struct{ Error string }
		_ = json.Unmarshal(text, &refusal) // a body that is no JSON holds no reason
		return &controlError{
			target: target, status: received.StatusCode, reason: plain.Text(refusal.Error),
			advice: controlAdvice(base),
		}
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s is not of the fake providers: %w: %s", target, err,
			controlAdvice(base))
	}
	return nil
}

// controlError is an answer of the control tree with an error. reason is empty if the answer is
// not of the fakes.
type controlError struct {
	target string
	status int
	reason string
	advice string
}

func (r *controlError) Error() string {
	return fmt.Sprintf("%s answers %d: %s", r.target, r.status, cmp.Or(r.reason, r.advice))
}

// controlAdvice says what to do about a wrong address of the control tree.
func controlAdvice(base *url.URL) string {
	if strings.HasSuffix(strings.TrimSuffix(base.Path, "/"), "/control") {
		return "see --control"
	}
	return "see --control: the address ends with /control, as " + controlDefault + " does"
}
