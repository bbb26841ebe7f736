package ingress

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema"
)

// acceptAllocsMax is how often the memory allocator may be called for an accepted webhook, without
// package net/http and the broker.
const acceptAllocsMax = 50

func TestAnAcceptedWebhookCostsFewAllocations(t *testing.T) {
	accept := newAcceptor(t)
	accept()
	if allocs := testing.AllocsPerRun(100, accept); allocs > acceptAllocsMax {
		t.Errorf("%v allocations for a webhook, want at most %d", allocs, acceptAllocsMax)
	}
}

func BenchmarkAccept(b *testing.B) {
	accept := newAcceptor(b)
	b.ReportAllocs()
	for b.Loop() {
		accept()
	}
}

// newAcceptor returns a function that lets a server accept a webhook of a connection, with the
// default log, and a publisher that stores at once.
func newAcceptor(t testing.TB) func() {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zapcore.InfoLevel))
	isStored := func(context.Context, schema.Event) (bool, error) { return false, nil }
	publisher := &fakePublisher{onEvent: isStored}
	s, err := newServer(testConfig(t), publisher, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	s.connections.alive <- struct{}{}
	conn := s.connections.add(near)
	t.Cleanup(func() {
		_ = conn.Close()
		_ = far.Close()
	})
	original := request(pinwheelPath, income)
	body := strings.NewReader(income)
	r := original.WithContext(withConnection(t.Context(), conn))
	r.Body = io.NopCloser(body)
	return func() {
		body.Reset(income)
		w := &plainWriter{header: make(http.Header, 4)}
		s.ServeHTTP(w, r)
		noteIdle(conn, http.StateIdle)
		if w.status != http.StatusOK {
			t.Fatalf("the webhook is answered %d, want 200", w.status)
		}
	}
}

// plainWriter is a http.ResponseWriter that keeps the status.
type plainWriter struct {
	header http.Header
	status int
}

func (w *plainWriter) Header() http.Header              { return w.header }
func (w *plainWriter) WriteHeader(status int)           { w.status = status }
func (w *plainWriter) Write(text []byte) (int, error)   { return len(text), nil }
func (w *plainWriter) SetWriteDeadline(time.Time) error { return nil }
