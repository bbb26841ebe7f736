package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// An Answer is what the receiver of a webhook said.
type Answer struct {
	Status     int
	Body       []byte
	RetryAfter string // the header, as it was sent
}

// SendOptions say what is unusual about a sending.
type SendOptions struct {
	Retry        bool          // send again as the provider would
	Copies       int           // send the same webhook so often; 0 is once
	BadSignature bool          // sign with another key
	Old          time.Duration // sign with a timestamp so old (Truv signs none)
	Shuffled     bool          // of a timeline: send it in no order
}

// Sent is one webhook that was sent, and what was said to it.
type Sent struct {
	Provider string `json:"provider"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Account  string `json:"account"`
	Status   int    `json:"status"` // 0: nobody answered
	Error    string `json:"error,omitempty"`
}

// sentMax is how many sendings are remembered.
const sentMax = 10_000

// answerBytesMax is how much of an answer is read.
const answerBytesMax = 64 << 10

// A redelivery is how a provider sends again.
type redelivery struct {
	again    func(status int) bool // 0: nobody answered
	most     int                   // attempts after the first
	wait     time.Duration         // before the second attempt
	growth   int                   // of each wait over the one before
	answerBy time.Duration         // how long the receiver may take
}

// redeliveryOf says what is known. Pinwheel: only after a 5xx or a network
// failure, 5 times within 15 minutes, exponentially (docs.pinwheelapi.com,
// Webhooks; its jitter is left out here). Truv: after anything but a 2xx, 3
// times, 30 s apart (docs.truv.com, Webhooks; the numbers are of
// truvhq/demo-apps, USE-CASES.md). Neither follows a redirect here.
func redeliveryOf(provider string) redelivery {
	if provider == Truv {
		return redelivery{
			again:    func(status int) bool { return status < 200 || status > 299 },
			most:     3,
			wait:     30 * time.Second,
			growth:   1,
			answerBy: 10 * time.Second,
		}
	}
	return redelivery{
		again:    func(status int) bool { return status == 0 || status >= 500 },
		most:     5,
		wait:     25 * time.Second,
		growth:   2,
		answerBy: 15 * time.Second,
	}
}

func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Send signs the webhook and sends it once. It is no error if the receiver
// answers, whatever it says.
func (f *Providers) Send(ctx context.Context, w Webhook) (Answer, error) {
	return f.SendWith(ctx, w, SendOptions{})
}

// SendWithRetries sends the webhook until its provider would stop, and returns
// the last answer. Each attempt is signed afresh.
func (f *Providers) SendWithRetries(ctx context.Context, w Webhook) (Answer, error) {
	return f.SendWith(ctx, w, SendOptions{Retry: true})
}

// SendWith sends the webhook as the options say, and returns the last answer.
// A link is deleted before its link-deleted is sent, unless that is a forgery.
func (f *Providers) SendWith(ctx context.Context, w Webhook, opts SendOptions) (Answer, error) {
	if !opts.BadSignature {
		f.linkEvent(w)
	}
	var answer Answer
	var err error
	for range max(opts.Copies, 1) {
		if answer, err = f.deliver(ctx, w, opts); ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("send %s %s: %w", w.Type, w.ID, err)
	}
	return answer, nil
}

// Play sends a person's timeline, in order unless it is Shuffled. What nobody answered does not
// stop it; the end of ctx does.
func (f *Providers) Play(ctx context.Context, p *Person, opts SendOptions) ([]Sent, error) {
	var played []Sent
	timeline := f.Timeline(p)
	if opts.Shuffled {
		rand.Shuffle(len(timeline), func(i, j int) { timeline[i], timeline[j] = timeline[j], timeline[i] })
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

// Sent lists the sendings that are remembered, oldest first.
func (f *Providers) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Sent{}, f.sent...)
}

// deliver makes the attempts of one sending.
func (f *Providers) deliver(ctx context.Context, w Webhook, opts SendOptions) (Answer, error) {
	rules := redeliveryOf(w.Provider)
	wait := rules.wait
	if f.config.RetryWait > 0 {
		wait = f.config.RetryWait
	}
	for attempt := 0; ; attempt++ {
		answer, err := f.post(ctx, w, opts, rules.answerBy)
		f.remember(sentOf(w, answer, err))
		if !opts.Retry || attempt == rules.most || !rules.again(answer.Status) {
			return answer, err
		}
		if stopped := f.pause(ctx, wait); stopped != nil {
			return answer, errors.Join(err, stopped)
		}
		wait *= time.Duration(rules.growth)
	}
}

func (f *Providers) post(ctx context.Context, w Webhook, opts SendOptions, limit time.Duration) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	url := f.config.WebhookURL + "/" + w.Provider
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(w.Body))
	if err != nil {
		return Answer{}, err
	}
	f.sign(request.Header, w, opts)
	response, err := f.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return Answer{}, err
	}
	return Answer{Status: response.StatusCode, Body: body, RetryAfter: response.Header.Get("Retry-After")}, nil
}

// sign sets the headers of a webhook, those recorded of Pinwheel and those
// documented of Truv.
func (f *Providers) sign(header http.Header, w Webhook, opts SendOptions) {
	spoil := ""
	if opts.BadSignature {
		spoil = "not-the-key-"
	}
	header.Set("Content-Type", "application/json")
	if w.Provider == Truv {
		header.Set("User-Agent", "Truv-Webhook-Service/2.0")
		header.Set("X-WEBHOOK-SIGN", SignTruv(spoil+f.config.TruvSecret, w.Body))
		return
	}
	timestamp := f.now().Add(-opts.Old).Unix()
	header.Set("User-Agent", "python-requests/2.31.0")
	header.Set("Pinwheel-Version", "2023-11-22")
	header.Set("x-pinwheel-webhook-id", f.webhookID)
	header.Set("x-timestamp", strconv.FormatInt(timestamp, 10))
	header.Set("x-pinwheel-signature", SignPinwheel(spoil+f.config.PinwheelSecret, timestamp, w.Body))
}

// pause waits; it returns why it could not.
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

func (f *Providers) remember(s Sent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, s)
	if extra := len(f.sent) - sentMax; extra > 0 {
		f.sent = f.sent[extra:]
	}
}

func sentOf(w Webhook, answer Answer, err error) Sent {
	s := Sent{Provider: w.Provider, ID: w.ID, Type: w.Type, Account: w.Account, Status: answer.Status}
	if err != nil {
		s.Error = err.Error()
	}
	return s
}
