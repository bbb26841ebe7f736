package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/flood"
	"github.com/wagewire/wagewire/deploy/usage"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var floodCount = flag.Int("flood", 20, "how many genuine webhooks are sent during each flood")

// The promises of ingress while anybody may send anything.
const (
	// answerMax is how long 99 of 100 answers take at most.
	answerMax = time.Second
	// memoryMax is mem_limit of docker-compose.yml. memoryLimit is GOMEMLIMIT there.
	memoryMax   = 512 << 20
	memoryLimit = "450MiB"
	// linesMax is how many lines of the log in a minute are about no genuine webhook.
	linesMax   = 40
	samplesMax = 5
	// spansMax is how many spans are about no genuine webhook.
	spansMax = 20
	// spansPerWebhook are the span of a webhook and that of its publish.
	spansPerWebhook = 2
	// noise is how many times slower than an idle server ingress may answer in a long test. A busy
	// machine delays both.
	noise = 10
	// longCount is how many webhooks a long test sends, or more.
	longCount = 500
	// attempts is how often a provider sends a webhook during a short test, at most.
	attempts = 4
)

// manyAddresses is how many source addresses the larger floods have.
const manyAddresses = 1000

// A flood from one address or from a thousand takes nothing from genuine webhooks. Each flood
// attacks an ingress of its own, with the limits of docker-compose.yml.
func TestGenuineWebhooksPassEveryFlood(t *testing.T) {
	binary := buildIngress(t)
	rows := [][]string{{"large bodies", "unfinished headers"}}
	for _, name := range flood.Names() {
		rows = append(rows, []string{name})
	}
	for _, attacks := range rows {
		for _, sources := range []int{1, manyAddresses} {
			name := fmt.Sprintf("%s from %d", strings.Join(attacks, " and "), sources)
			t.Run(name, func(t *testing.T) {
				if sources > 1 && !flood.HasManySources {
					t.Skip("the system has only one loopback address by default")
				}
				withstand(t, binary, attacks, sources)
			})
		}
	}
}

func buildIngress(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ingress")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./ingress/cmd/ingress")
	build.Dir = checkout
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build ingress: %v\n%s", err, out)
	}
	return path
}

// withstand floods ingress while genuine webhooks come, and checks every promise.
func withstand(t *testing.T, binary string, attacks []string, sources int) {
	broker, conn := streamtest.New(t)
	spans := newCollector(t)
	door := startDoor(t, binary, broker.URL(), spans.URL)

	url := "http://" + door.addr + "/webhooks"
	if known := (flood.Probe{URL: url, Count: 2}).Run(t.Context()); len(known.Stored) != 2 {
		t.Fatalf("before the flood: %v", known)
	}

	began := time.Now()
	stopFloods := startFloods(t, attacks, flood.Config{
		Addr: door.addr, Provider: fake.Truv, Sources: sources,
	})
	genuine, control := probeBoth(t.Context(), url)
	stopFloods()
	memory := door.memoryPeak(t)
	door.stop(t)
	lasted := time.Since(began)

	t.Logf("genuine: %v", genuine)
	t.Logf("idle server beside: %v", control)
	t.Logf("peak memory %d MiB, %d other lines, %d spans", memory>>20, door.others, spans.count())
	checkAnswers(t, genuine, control)
	checkStored(t, conn, genuine)
	if memory > memoryMax {
		t.Errorf("peak memory %d MiB, the limit is %d MiB", memory>>20, memoryMax>>20)
	}
	if most := linesMax * int(1+lasted/time.Minute); door.others > most {
		t.Errorf("the log has %d lines about other requests after %v, want %d at most:\n%s",
			door.others, lasted, most, strings.Join(door.samples, "\n"))
	}
	if most := spansPerWebhook*genuine.Sent() + spansMax; spans.count() > most {
		t.Errorf("%d spans of %d genuine webhooks", spans.count(), genuine.Sent())
	}
}

// startFloods starts floods. stop ends all of them and logs their figures.
func startFloods(t *testing.T, attacks []string, config flood.Config) (stop func()) {
	t.Helper()
	var floods []*flood.Flood
	stop = func() {
		for i, f := range floods {
			t.Logf("%s: %v", attacks[i], f.Stop())
		}
		floods = nil
	}
	t.Cleanup(stop)
	for _, name := range attacks {
		attack, err := flood.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := flood.Start(t.Context(), attack, config)
		if err != nil {
			t.Fatal(err)
		}
		floods = append(floods, f)
	}
	return stop
}

// probeBoth sends genuine webhooks to ingress and, at the same time, to an idle server. The idle
// server shows how slow the machine is.
func probeBoth(ctx context.Context, url string) (genuine, control *flood.Report) {
	idle := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer idle.Close()
	var group sync.WaitGroup
	probe := flood.Probe{URL: url, Count: *floodCount, Attempts: attempts}
	if isLong() {
		probe.Attempts = 1
	}
	group.Go(func() { genuine = probe.Run(ctx) })
	group.Go(func() { control = flood.Probe{URL: idle.URL, Count: *floodCount}.Run(ctx) })
	group.Wait()
	return genuine, control
}

// checkAnswers fails a short test unless every genuine webhook was stored in the end, when its
// provider sent it again. A busy machine may delay an attempt for too long. A long test fails if
// over 1 % of the first attempts were not answered 200, or if 99 in 100 answers took too long. What
// the idle server lost or delayed was the machine: a flood can fill its tables of connections.
func checkAnswers(t *testing.T, genuine, control *flood.Report) {
	t.Helper()
	notStored := genuine.Sent() - len(genuine.Stored)
	if !isLong() {
		if notStored > 0 {
			t.Errorf("%d of %d genuine webhooks were never answered 200",
				notStored, genuine.Sent())
		}
		return
	}
	lost := control.Sent() - len(control.Stored)
	if most := lost + genuine.Sent()/100; notStored > most {
		t.Errorf("%d of %d genuine webhooks were not answered 200, want %d at most",
			notStored, genuine.Sent(), most)
	}
	most := max(answerMax, noise*control.Quantile(0.99), control.Quantile(1))
	if took := genuine.Quantile(0.99); took > most {
		t.Errorf("99 in 100 genuine webhooks were answered within %v, want %v", took, most)
	}
}

func isLong() bool { return *floodCount >= longCount }

// checkStored fails the test unless every webhook answered 200 is on the stream.
func checkStored(t *testing.T, conn *stream.Conn, genuine *flood.Report) {
	t.Helper()
	stored := map[string]bool{}
	err := stream.NewOperator(conn).Scan(t.Context(), schema.EventsStream,
		stream.Selection{HeadersOnly: true}, func(m stream.Stored) error {
			stored[m.Header.Get(jetstream.MsgIDHeader)] = true
			return nil
		})
	if err != nil {
		t.Error(err)
	}
	for _, w := range genuine.Stored {
		key := schema.Event{Provider: schema.Provider(w.Provider), ID: w.ID}.Key()
		if !stored[key] {
			t.Errorf("%s %s was answered 200 and is not on the stream", w.Type, w.ID)
		}
	}
}

// door is ingress as a process.
type door struct {
	addr    string
	process *exec.Cmd
	ended   chan struct{}
	// others is how many lines of the log are about no stored webhook. samples are the last of
	// these lines. Both are valid after stop.
	others  int
	samples []string
}

func startDoor(t *testing.T, binary, brokerURL, collectorURL string) *door {
	t.Helper()
	secret := func(provider string) string {
		path := filepath.Join(t.TempDir(), provider)
		if err := os.WriteFile(path, []byte(fake.Secret(provider)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	d := &door{process: exec.Command(binary), ended: make(chan struct{})}
	d.process.Env = []string{
		"PINWHEEL_SECRETS_FILE=" + secret(fake.Pinwheel),
		"TRUV_SECRETS_FILE=" + secret(fake.Truv),
		// The secrets of the fakes are taken beside the hosts of fakes only.
		"PINWHEEL_URL=http://127.0.0.1",
		"TRUV_URL=http://127.0.0.1",
		"INGRESS_ADDR=127.0.0.1:0",
		"NATS_URL=" + brokerURL,
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collectorURL,
		"LOG_FORMAT=json",
		"GOMEMLIMIT=" + memoryLimit,
	}
	stderr, err := d.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.process.Process.Kill()
		<-d.ended
	})
	addr := make(chan string, 1)
	go d.readLog(stderr, addr)
	select {
	case d.addr = <-addr:
	case <-d.ended:
		t.Fatalf("ingress ended: %v", d.samples)
	case <-streamtest.Late(t):
		t.Fatal("ingress does not receive webhooks")
	}
	return d
}

// readLog counts the lines of the log until ingress ends. addr gets the address of the listener.
func (d *door) readLog(log io.Reader, addr chan<- string) {
	defer close(d.ended)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Addr, Outcome string }
		_ = json.Unmarshal(lines.Bytes(), &line) // a line of the runtime is no JSON
		switch {
		case line.Addr != "":
			addr <- line.Addr
		case line.Outcome != "stored":
			d.others++
			d.samples = append(d.samples[max(0, len(d.samples)-samplesMax):], lines.Text())
		}
	}
	_ = d.process.Wait() // the test looks at the state of the process
}

func (d *door) memoryPeak(t *testing.T) int64 {
	t.Helper()
	peak, err := usage.MemoryPeak(d.process.Process.Pid)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	return peak
}

// stop ends ingress as an operator does. A process that has ended before, for example for want of
// memory, is an error.
func (d *door) stop(t *testing.T) {
	t.Helper()
	_ = d.process.Process.Signal(syscall.SIGTERM) // an ended process has a bad exit code below
	select {
	case <-d.ended:
	case <-streamtest.Late(t):
		t.Fatal("ingress does not stop")
	}
	if code := d.process.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ingress ended with %v: %v", d.process.ProcessState, d.samples)
	}
}

// collector counts the spans that come by OTLP.
type collector struct {
	*httptest.Server

	mu    sync.Mutex
	spans int
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		var request traces.ExportTraceServiceRequest
		if err := proto.Unmarshal(body.Bytes(), &request); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans += len(scope.GetSpans())
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans
}
