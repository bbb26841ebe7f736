package flood

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// witness is a server that notes every connection and what comes first through the connection. It
// answers complete requests with 401 and keeps the connection.
type witness struct {
	*httptest.Server

	mu    sync.Mutex
	peers map[string]bool // IP addresses
	seen  map[string]int  // bytes, by address with port
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{peers: map[string]bool{}, seen: map[string]int{}}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(
		func(answer http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			answer.WriteHeader(http.StatusUnauthorized)
		}))
	w.Listener = &witnessed{w.Listener, w}
	w.Start()
	t.Cleanup(w.Close)
	return w
}

// state returns the number of connections, of IP addresses, and of all bytes.
func (w *witness) state() (connections, peers, total int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.seen {
		total += n
	}
	return len(w.seen), len(w.peers), total
}

type witnessed struct {
	net.Listener
	witness *witness
}

func (l *witnessed) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.witness.mu.Lock()
	defer l.witness.mu.Unlock()
	l.witness.peers[conn.RemoteAddr().(*net.TCPAddr).IP.String()] = true
	l.witness.seen[conn.RemoteAddr().String()] = 0
	return &counted{conn, l.witness}, nil
}

type counted struct {
	net.Conn
	witness *witness
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.witness.mu.Lock()
	defer c.witness.mu.Unlock()
	c.witness.seen[c.RemoteAddr().String()] += n
	return n, err
}

// few connections are enough for a test, and every attack has so many.
const few = fast

// startFlood starts a flood of a few connections.
func startFlood(t *testing.T, a Attack, w *witness, sources int) *Flood {
	t.Helper()
	a.Connections = min(a.Connections, few)
	f, err := Start(t.Context(), a, Config{
		Addr: w.Listener.Addr().String(), Provider: fake.Truv, Sources: sources,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryAttackDoesWhatItsRowSays(t *testing.T) {
	for _, a := range Attacks() {
		t.Run(a.Name, func(t *testing.T) {
			w := newWitness(t)
			f := startFlood(t, a, w, 1)
			<-f.Standing()
			opening := len(a.opening(target{host: w.Listener.Addr().String(), provider: fake.Truv}))
			enough := few * opening
			switch a.then {
			case drip:
				enough += few // a byte for each connection
			case repeat:
				enough *= 3
			case hold:
			}
			streamtest.Eventually(t, "the bytes of the attack came", func() bool {
				connections, _, total := w.state()
				return connections >= few && total >= enough
			})
			tally := f.Stop()
			if tally.Opened < few || tally.Sent < few || tally.Refused > 0 || tally.Cut > 0 {
				t.Errorf("tally: %v", tally)
			}
			if a.then == repeat && tally.Answers[http.StatusUnauthorized] == 0 {
				t.Errorf("no answers: %v", tally)
			}
		})
	}
}

func TestAnAttackHasAsManyAddressesAsConfigured(t *testing.T) {
	w := newWitness(t)
	a, err := Find("small forgeries")
	if err != nil {
		t.Fatal(err)
	}
	f := startFlood(t, a, w, 50)
	defer f.Stop()
	streamtest.Eventually(t, "50 addresses attack", func() bool {
		_, peers, _ := w.state()
		return peers == 50
	})
}

func TestAConnectionThatIngressEndsIsOpenedAgain(t *testing.T) {
	w := newWitness(t)
	a, err := Find("held connections")
	if err != nil {
		t.Fatal(err)
	}
	f := startFlood(t, a, w, 1)
	<-f.Standing()
	w.CloseClientConnections()
	streamtest.Eventually(t, "the connections are opened again", func() bool {
		w.CloseClientConnections()
		return f.counter.get().Opened >= 2*few
	})
	if tally := f.Stop(); tally.Cut < few {
		t.Errorf("tally: %v, want %d cut connections or more", tally, few)
	}
}

func TestStartRefuses(t *testing.T) {
	for promise, row := range map[string]struct {
		config Config
		err    string
	}{
		"another machine": {
			Config{Addr: "192.0.2.1:80", Provider: fake.Truv}, "attacks only its own machine",
		},
		"an address without a port": {
			Config{Addr: "127.0.0.1", Provider: fake.Truv}, "missing port in address",
		},
		"an unknown provider": {
			Config{Addr: "127.0.0.1:80", Provider: "acme"}, "there is no fake of provider acme",
		},
		"more addresses than there are": {
			Config{Addr: "127.0.0.1:80", Provider: fake.Truv, Sources: 1 << 20},
			"1048576 source addresses are not from 1 to 65536",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			_, err := Start(t.Context(), Attacks()[0], row.config)
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("error %v, want %q", err, row.err)
			}
		})
	}
	if _, err := Find("tickling"); err == nil || !strings.Contains(err.Error(), "slow bodies") {
		t.Errorf("an unknown attack: %v, want the names of all attacks", err)
	}
}

// receiver answers the first webhooks badly, one with each status, and all others with 200. Status
// 0 is no answer. longest is the size of the longest body.
func receiver(t *testing.T, bad ...int) (url string, longest func() int) {
	t.Helper()
	var mu sync.Mutex
	var size, received int
	server := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			mu.Lock()
			defer mu.Unlock()
			size = max(size, body.Len())
			received++
			switch {
			case received > len(bad):
			case bad[received-1] == 0:
				panic(http.ErrAbortHandler)
			default:
				w.WriteHeader(bad[received-1])
			}
		}))
	t.Cleanup(server.Close)
	return server.URL, func() int {
		mu.Lock()
		defer mu.Unlock()
		return size
	}
}

func TestAProbeReportsEveryAnswer(t *testing.T) {
	url, longest := receiver(t, 503, 0)
	const count = 2 * largeEvery
	r := Probe{URL: url, PerS: 200, Count: count}.Run(t.Context())
	if r.Sent() != count || r.Answers[503] != 1 || r.Answers[0] != 1 ||
		len(r.Stored) != count-2 || r.Again != 0 || r.Err == nil {
		t.Errorf("report: %v", r)
	}
	if size := longest(); size < 277_000 || size > 279_000 {
		t.Errorf("the longest body has %d bytes, want 278 KB", size)
	}
}

func TestAProbeSendsAgainWhatAProviderSendsAgain(t *testing.T) {
	url, _ := receiver(t, 503, 0, 401)
	const count = 4
	r := Probe{URL: url, PerS: 200, Count: count, Attempts: 3}.Run(t.Context())
	if r.Sent() != count || r.Answers[401] != 1 || len(r.Stored) != count-1 || r.Again != 2 ||
		r.Err != nil {
		t.Errorf("report: %v", r)
	}
}

func TestAProbeWithoutACountEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { stop() }))
	defer server.Close()
	if r := (Probe{URL: server.URL, PerS: 200}).Run(ctx); len(r.Stored) == 0 {
		t.Errorf("report: %v", r)
	}
}

func TestQuantile(t *testing.T) {
	r := &Report{}
	if got := r.Quantile(1); got != 0 {
		t.Errorf("the longest of no answers took %v", got)
	}
	for n := range 100 {
		r.times = append(r.times, time.Duration(100-n)*time.Millisecond)
	}
	for q, want := range map[float64]int64{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := r.Quantile(q).Milliseconds(); got != want {
			t.Errorf("Quantile(%v) is %v ms, want %v ms", q, got, want)
		}
	}
}
