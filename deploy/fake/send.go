package fake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// Answer is the receiver's response to a webhook.
type Answer struct {
	Status     int
	Body       []byte
	RetryAfter string // the header, unchanged
}

// SendOptions change a sending. The zero value sends the webhook a single time.
type SendOptions struct {
	Retry        bool          // repeat the webhook as the provider would
	Copies       int           // send the same webhook so many times; 0 means once
	BadSignature bool          // sign with a wrong secret
	Old          time.Duration // sign with a timestamp so old, if the provider signs a timestamp
	Shuffled     bool          // send a timeline in random order
	Keep         bool          // send a timeline without the webhooks that end a link
	Lost         bool          // nothing reaches the receiver, as in an outage of the receiver
	// Tried is called after each attempt with the time of the attempt's begin and the status of the
	// response, 0 for no response. nil: nobody is told.
	Tried func(began time.Time, status int)
}

// Sent is a webhook and the status of the response.
type Sent struct {
	Provider string `json:"provider"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Account  string `json:"account"`
	Status   int    `json:"status"` // 0: there was no response
	Error    string `json:"error,omitempty"`
}

// sentMax is how many sendings a Providers remembers.
const sentMax = 10_000

// answerBytesMax is how much of a response is read.
const answerBytesMax = 64 << 10

func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
	}
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Send signs the webhook and sends the webhook once. A response with a bad status is no error.
func (f *Providers) Send(ctx context.Context, w Webhook) (Answer, error) {
	return f.SendWith(ctx, w, SendOptions{})
}

// SendWithRetries sends the webhook until the provider would stop, and returns the last response.
// Each attempt has a signature of its own.
func (f *Providers) SendWithRetries(ctx context.Context, w Webhook) (Answer, error) {
	return f.SendWith(ctx, w, SendOptions{Retry: true})
}

// SendWith sends the webhook as the options say and returns the last response. The person's account
// first takes the state of the webhook, unless the signature is bad: a forger changes no
// account.
func (f *Providers) SendWith(ctx context.Context, w Webhook, opts SendOptions) (Answer, error) {
	provider, err := lookup(w.Provider)
	if err != nil {
		return Answer{}, fmt.Errorf("send %s %s: %w", w.Type, w.ID, err)
	}
	if !opts.BadSignature {
		f.apply(provider, w)
	}
	var answer Answer
	for range max(opts.Copies, 1) {
		answer, err = f.deliver(ctx, provider, w, opts)
		if ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("send %s %s: %w", w.Type, w.ID, err)
	}
	return answer, nil
}

// apply puts the account of the webhook's person into the state of the webhook.
func (f *Providers) apply(provider provider, w Webhook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	person := f.byID[w.Account]
	if person == nil || provider.apply == nil {
		return
	}
	provider.apply(person, w, f.now())
}

// Play sends a person's timeline, in order unless the options say Shuffled. A webhook without a
// response does not stop Play. The end of ctx does.
func (f *Providers) Play(ctx context.Context, p *Person, opts SendOptions) ([]Sent, error) {
	var played []Sent
	timeline := f.timeline(p, opts.Keep)
	if opts.Shuffled {
		rand.Shuffle(len(timeline), func(i, j int) {
			timeline[i], timeline[j] = timeline[j], timeline[i]
		})
	}
	for _, w := range timeline {
		if err := ctx.Err(); err != nil {
			return played, fmt.Errorf("play timeline of %s: %w", p.AccountID, err)
		}
		answer, err := f.SendWith(ctx, w, opts)
		played = append(played, sentOf(w, answer, err))
	}
	return played, nil
}

// Sent lists the last sendings, oldest first.
func (f *Providers) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Sent{}, f.sent...)
}

// deliver makes the attempts of one sending.
func (f *Providers) deliver(
	ctx context.Context,
	provider provider,
	w Webhook,
	opts SendOptions,
) (Answer, error) {
	rules := provider.redelivery
	wait := cmp.Or(f.config.RetryWait, rules.wait)
	for attempt := 0; ; attempt++ {
		began := time.Now()
		answer, err := f.post(ctx, provider, w, opts)
		f.remember(sentOf(w, answer, err))
		if provider.keepsLog {
			f.log(w, answer.Status, err)
		}
		if opts.Tried != nil {
			opts.Tried(began, answer.Status)
		}
		if !opts.Retry || attempt == rules.repeatsMax || !rules.repeats(answer.Status) {
			return answer, err
		}
		if stopped := f.pause(ctx, wait); stopped != nil {
			return answer, errors.Join(err, stopped)
		}
		wait *= time.Duration(rules.growth)
	}
}

func (f *Providers) post(
	ctx context.Context,
	provider provider,
	w Webhook,
	opts SendOptions,
) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, provider.redelivery.answerFor)
	defer cancel()
	if opts.Lost {
		return Answer{}, errLost
	}
	url := f.webhookURL(w.Provider)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(w.Body))
	if err != nil {
		return Answer{}, err
	}
	secret := f.secret(provider)
	if opts.BadSignature {
		secret = "not-the-key-" + secret
	}
	request.Header.Set("Content-Type", "application/json")
	provider.describe(request.Header, f.registration)
	provider.sign(request.Header, secret, f.now().Add(-opts.Old), w.Body)
	response, err := f.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return Answer{}, err
	}
	retryAfter := response.Header.Get("Retry-After")
	return Answer{Status: response.StatusCode, Body: body, RetryAfter: retryAfter}, nil
}

// pause waits. If ctx or the Providers ends first, pause returns an error.
func (f *Providers) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-f.done:
		return errors.New("the provider is closed")
	}
}

// errLost is the error of a webhook that reaches nobody.
var errLost = errors.New("the webhook is lost on the way")

func (f *Providers) webhookURL(provider string) string {
	return f.config.WebhookURL + "/" + provider
}

// log keeps the attempt for the log of the provider.
func (f *Providers) log(w Webhook, status int, err error) {
	d := delivery{at: f.now(), url: f.webhookURL(w.Provider), webhook: w, status: status}
	if err != nil {
		d.err = err.Error()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deliveries = append(f.deliveries, d)
	if extra := len(f.deliveries) - deliveriesMax; extra > 0 {
		f.deliveries = f.deliveries[extra:]
	}
}

func (f *Providers) remember(s Sent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, s)
	if extra := len(f.sent) - sentMax; extra > 0 {
		f.sent = f.sent[extra:]
	}
}

func sentOf(w Webhook, answer Answer, err error) Sent {
	s := Sent{
		Provider: w.Provider, ID: w.ID, Type: w.Type, Account: w.Account, Status: answer.Status,
	}
	if err != nil {
		s.Error = err.Error()
	}
	return s
}
