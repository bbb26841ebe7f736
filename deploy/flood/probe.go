package flood

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
)

const (
	// DefaultProbePerS is the pace of a Probe.
	DefaultProbePerS = 20
	// answerFor is how long a provider waits for an answer.
	answerFor = 10 * time.Second
	// sendAgainAfter is the pause before a webhook is sent again. Providers pause for longer.
	sendAgainAfter = time.Second
	// Every largeEvery-th webhook of a Probe announces largeIDs paystubs: a body of 278 KB.
	largeEvery = 10
	largeIDs   = 2700
)

// Probe sends genuine webhooks at a steady pace: of both kinds of providers, small and large ones,
// over fresh connections and over kept connections. The pace does not depend on the answers.
type Probe struct {
	// URL is where ingress receives webhooks, without the provider:
	// http://127.0.0.1:8080/webhooks.
	URL string
	// PerS is the number of webhooks in a second. 0 stands for DefaultProbePerS.
	PerS int
	// Count is the number of webhooks. 0 is no limit.
	Count int
	// Attempts is how often a webhook without an answer, or with an answer 5xx, is sent at most. 0
	// stands for 1.
	Attempts int
}

// Report is the webhooks that a Probe sent, and their last answers.
type Report struct {
	// Answers is the number of webhooks by the status of the answer. Status 0 is no answer.
	Answers map[int]int
	// Again is the number of attempts behind the first attempt of a webhook.
	Again int
	// Stored has the webhooks that were answered 200.
	Stored []fake.Webhook
	// Err is a reason for a missing answer, nil if every webhook was answered.
	Err error

	mu    sync.Mutex
	times []time.Duration
}

// Run sends webhooks until all are sent or ctx ends, and waits for the last answers. A webhook
// without an answer counts with the time that its sender waited.
func (p Probe) Run(ctx context.Context) *Report {
	fakes := fake.New(fake.Config{})
	defer fakes.Close()
	person := fakes.Person(fake.PersonOptions{})
	kept := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: answerFor}
	defer kept.CloseIdleConnections()
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: answerFor}

	report := &Report{Answers: map[int]int{}}
	var group sync.WaitGroup
	defer group.Wait()
	perS := cmp.Or(p.PerS, DefaultProbePerS)
	tick := time.NewTicker(time.Second / time.Duration(perS))
	defer tick.Stop()
	for n := 0; p.Count == 0 || n < p.Count; n++ {
		select {
		case <-ctx.Done():
			return report
		case <-tick.C:
		}
		webhook := probing(fakes, person, n)
		client := kept
		if n/2%2 == 1 { // both clients send for each provider
			client = fresh
		}
		group.Go(func() { p.send(ctx, client, webhook, report) })
	}
	return report
}

// send sends a webhook, and reports the answer to its last attempt. The first attempt is made even
// if ctx ends.
func (p Probe) send(ctx context.Context, client *http.Client, w fake.Webhook, report *Report) {
	for attempt := 1; ; attempt++ {
		began := time.Now()
		status, err := p.post(context.WithoutCancel(ctx), client, w)
		took := time.Since(began)
		isFinal := status > 0 && status < http.StatusInternalServerError
		if isFinal || attempt >= p.Attempts || !pause(ctx) {
			report.add(w, status, took, err)
			return
		}
		report.addAgain()
	}
}

// pause returns true after sendAgainAfter, or false if ctx ends first.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(sendAgainAfter):
		return true
	}
}

// probing makes the n-th webhook of a Probe.
func probing(fakes *fake.Providers, person *fake.Person, n int) fake.Webhook {
	webhookType := "employment.added"
	var options fake.EventOptions
	switch {
	case n%largeEvery == largeEvery/2:
		webhookType = "paystubs.added"
		for i := range largeIDs {
			options.Added = append(options.Added, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		}
	case n%2 == 1:
		webhookType = "link-connected"
	}
	webhook, err := fakes.Event(person, webhookType, options)
	if err != nil {
		panic(err) // the types are right
	}
	return webhook
}

func (p Probe) post(ctx context.Context, client *http.Client, w fake.Webhook) (int, error) {
	url := p.URL + "/" + w.Provider
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(w.Body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	key := fake.Secret(w.Provider)
	if err := fake.Sign(w.Provider, request.Header, key, time.Now(), w.Body); err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, err
	}
	return answer.StatusCode, nil
}

func (r *Report) addAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Again++
}

func (r *Report) add(w fake.Webhook, status int, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Answers[status]++
	r.times = append(r.times, took)
	if status == http.StatusOK {
		r.Stored = append(r.Stored, w)
	}
	if err != nil {
		r.Err = err
	}
}

// Sent is the number of webhooks.
func (r *Report) Sent() int { return len(r.times) }

// Quantile returns the time of an answer that a share q of the answers did not exceed. Quantile(1)
// is the longest time. Without webhooks, the result is 0.
func (r *Report) Quantile(q float64) time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.times))
	n := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(n, 1), len(sorted))-1]
}

// String is the figures in one line.
func (r *Report) String() string {
	ms := func(q float64) int64 { return r.Quantile(q).Milliseconds() }
	text := fmt.Sprintf("%d sent, answers: %s; p50 %d ms, p99 %d ms, longest %d ms",
		r.Sent(), formatAnswers(r.Answers), ms(0.5), ms(0.99), ms(1))
	if r.Again > 0 {
		text += fmt.Sprintf("; %d attempts were repeated", r.Again)
	}
	if r.Err != nil {
		text += fmt.Sprintf("; without an answer, for example: %v", r.Err)
	}
	return text
}
