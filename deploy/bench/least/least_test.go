package least

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const secret = "a-secret-of-the-least-line"

const webhook = `{"event":"shifts.fully_synced","event_id":"e-1","payload":{"account_id":"a-1"}}`

// prepared returns a broker with the streams of the least line.
func prepared(t *testing.T) (Config, jetstream.JetStream) {
	t.Helper()
	server, _ := streamtest.New(t)
	c := Config{NATSURL: server.URL(), Secret: secret, Type: "shifts.fully_synced", Hands: 1}
	conn, js, err := connect(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if err := Prepare(t.Context(), js, 1, []string{c.Type}); err != nil {
		t.Fatal(err)
	}
	return c, js
}

func TestTheLeastIngressStoresWhatIsSigned(t *testing.T) {
	_, js := prepared(t)
	for promise, test := range map[string]struct {
		signedWith string
		code       int
	}{
		"once":                                 {secret, http.StatusOK},
		"and nothing signed by another secret": {"another-secret", http.StatusUnauthorized},
	} {
		t.Run(promise, func(t *testing.T) {
			for range 2 {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/pinwheel",
					strings.NewReader(webhook))
				err := fake.Sign(fake.Pinwheel, r.Header, test.signedWith, time.Now(),
					[]byte(webhook))
				if err != nil {
					t.Fatal(err)
				}
				if code := store(js, []byte(secret), r); code != test.code {
					t.Errorf("answered %d, want %d", code, test.code)
				}
			}
		})
	}
	events, err := js.Stream(t.Context(), EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	if n := events.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d events are stored, want 1", n)
	}
}

func TestTheLeastWorkerJoinsThePagesOfAList(t *testing.T) {
	c, js := prepared(t)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/accounts/a-1/shifts" || r.Header.Get("X-Api-Secret") != secret {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if r.URL.Query().Get("cursor") == "" {
			fmt.Fprint(w, `{"data":[{"id":"s-1"},{"id":"s-2"}],"meta":{"next_cursor":"2"}}`)
			return
		}
		fmt.Fprint(w, `{"data":[{"id":"s-2"},{"id":"s-3"}],"meta":{"next_cursor":null}}`)
	}))
	defer api.Close()
	c.APIURL = api.URL
	if _, err := js.Publish(t.Context(), eventsSubject+c.Type, []byte(webhook)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Worker(ctx, c) }()

	completions, err := js.OrderedConsumer(t.Context(), CompletionsStream,
		jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := completions.Next(jetstream.FetchMaxWait(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Records []struct{ ID string } }
	if err := json.Unmarshal(msg.Data(), &got); err != nil || len(got.Records) != 3 {
		t.Errorf("completion %s, %v: want 3 records", msg.Data(), err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
