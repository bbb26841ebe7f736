//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
)

// fakes are fake providers in a pod, and the ledger of the webhooks that they sent.
type fakes struct {
	url    string // of the control tree
	ledger *ledger
}

// newFakes returns the fakes that listen at a Service or a pod of the release. Their webhooks go to
// the ledger of the release.
func (r *release) newFakes(t *testing.T, target string) *fakes {
	t.Helper()
	url := "http://" + r.forward(t, target, 8081) + "/control/"
	return &fakes{url: url, ledger: r.ledger}
}

// do sends an instruction and reads the response. instruction and response may be nil.
func (f *fakes) do(ctx context.Context, method, path string, instruction, response any) error {
	var body bytes.Buffer
	if instruction != nil {
		if err := json.NewEncoder(&body).Encode(instruction); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, f.url+path, &body)
	if err != nil {
		return err
	}
	received, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer received.Body.Close()
	text, err := io.ReadAll(received.Body)
	switch {
	case err != nil:
		return err
	case received.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: %s: %s", method, path, received.Status, text)
	case response == nil:
		return nil
	default:
		return json.Unmarshal(text, response)
	}
}

// must sends an instruction that has to succeed.
func (f *fakes) must(t *testing.T, method, path string, instruction, response any) {
	t.Helper()
	if err := f.do(t.Context(), method, path, instruction, response); err != nil {
		t.Fatal(err)
	}
}

// newPerson makes a person with few records, and returns an id of the person.
func (f *fakes) newPerson(ctx context.Context) (id string, err error) {
	var person struct{ ID string }
	err = f.do(ctx, "POST", "people", map[string]int{"paystubs": 3, "shifts": 3}, &person)
	return person.ID, err
}

// send sends a webhook of the type about a person, once. The webhook must be stored.
func (f *fakes) send(ctx context.Context, webhookType, person string) error {
	var w struct {
		fake.Sent
		Answer any
	}
	err := f.do(ctx, "POST", "webhooks",
		map[string]string{"type": webhookType, "account": person}, &w)
	if err == nil && w.Status != http.StatusOK {
		err = fmt.Errorf("%s was answered %d: %v %s", webhookType, w.Status, w.Answer, w.Error)
	}
	return err
}

// sendMany sends n webhooks of the type about some people, several at a time.
func (f *fakes) sendMany(t *testing.T, webhookType string, n int) {
	t.Helper()
	const people, senders = 20, 8
	ids := make([]string, people)
	for i := range ids {
		id, err := f.newPerson(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(senders)
	began := time.Now()
	for i := range n {
		group.Go(func() error { return f.send(ctx, webhookType, ids[i%people]) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("sent %d webhooks of the type %s in %v", n, webhookType,
		time.Since(began).Round(time.Second))
}

// fail makes the APIs of the fakes misbehave. Other faults end.
func (f *fakes) fail(t *testing.T, faults ...fake.Fault) {
	t.Helper()
	f.must(t, "DELETE", "faults", nil, nil)
	for _, fault := range faults {
		f.must(t, "POST", "faults", fault, nil)
	}
}

// readSent adds what the fakes sent to the ledger.
func (f *fakes) readSent(ctx context.Context) error {
	var sent []fake.Sent
	if err := f.do(ctx, "GET", "webhooks", nil, &sent); err != nil {
		return err
	}
	f.ledger.add(sent)
	return nil
}

// refusals returns the responses other than 200 since the start of the fakes.
func (f *fakes) refusals(t *testing.T) []string {
	t.Helper()
	if err := f.readSent(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f.ledger.refusals()
}

// load sends all webhooks of a new person each second, until stop is called. With retry, the fakes
// repeat a refused webhook as the providers do.
func (f *fakes) load(t *testing.T, retry bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var players sync.WaitGroup
		defer players.Wait()
		every(ctx, time.Second, func() {
			players.Go(func() { f.play(context.WithoutCancel(ctx), t, retry) })
			if err := f.readSent(ctx); err != nil && ctx.Err() == nil {
				t.Logf("read what the fakes sent: %v", err)
			}
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// play lets the fakes send all webhooks of a new person.
func (f *fakes) play(ctx context.Context, t *testing.T, retry bool) {
	person, err := f.newPerson(ctx)
	if err == nil {
		err = f.do(ctx, "POST", "people/"+person+"/play", map[string]bool{"retry": retry}, nil)
	}
	if err != nil {
		t.Errorf("play: %v", err)
	}
}

// arrivals returns when the last calls arrived at the API of a provider.
func (f *fakes) arrivals(ctx context.Context, provider string) (times []time.Time, err error) {
	var all []fake.Arrival
	if err := f.do(ctx, "GET", "arrivals", nil, &all); err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.Provider == provider {
			times = append(times, a.At)
		}
	}
	return times, nil
}
