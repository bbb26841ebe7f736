package ingress

import (
	"errors"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// unknownTypesMax is how many unknown types get a warning, each once. Then the warnings end,
// because a sender may make types up.
const unknownTypesMax = 256

// serverLines limits what net/http logs about connections: senders can cause its lines at any rate.
type serverLines struct {
	log   *zap.Logger
	limit *rate.Limiter
}

// How many lines of net/http are logged.
const (
	serverLinesEvery  = 6 * time.Second
	serverLinesAtOnce = 10
)

// newServerLog returns the logger of an http.Server.
func newServerLog(l *zap.Logger) *log.Logger {
	limit := rate.NewLimiter(rate.Every(serverLinesEvery), serverLinesAtOnce)
	return log.New(serverLines{l, limit}, "", 0)
}

// Write logs a line, or drops it above the limit.
func (s serverLines) Write(line []byte) (int, error) {
	if s.limit.Allow() {
		s.log.Warn("serve", zap.String("error", strings.TrimSpace(string(line))))
	}
	return len(line), nil
}

// logStart writes the address and the providers served.
func (s *Server) logStart() {
	fields := []zap.Field{zap.String("addr", s.Addr())}
	for _, p := range schema.Providers() {
		fields = append(fields, zap.Bool(string(p), s.secrets[p] != nil))
	}
	s.log.Info("receiving webhooks", fields...)
}

// logSecretsFault writes why a changed file of secrets was not taken. SecretFile returns each fault
// only once.
func (s *Server) logSecretsFault(p schema.Provider, fault error) {
	if fault != nil {
		s.log.Error("secrets not taken", providerField(p), zap.Error(fault))
	}
}

// webhookFieldsMax is how many fields the log line of a webhook may have.
const webhookFieldsMax = 10

// logWebhook writes the only log line of a webhook, and a warning at the first webhook of an
// unknown type. A request without a valid signature has a line at level debug alone: see refusals.
func (s *Server) logWebhook(got receipt, resp response, err error, took time.Duration) {
	kind := typeLabel(got.event)
	if kind == typeOther && s.unknown.isFirst(got.event.Type) {
		s.log.Warn("unknown webhook type", providerField(got.provider),
			zap.String("type", schema.Token(got.event.Type)))
	}
	outcome := outcomeOf(got, resp)
	line := s.log.Check(levelOf(got, outcome), "webhook")
	if line == nil {
		return
	}
	fields := append(make([]zap.Field, 0, webhookFieldsMax),
		providerField(got.provider),
		zap.String("type", kind),
		zap.String("outcome", outcome),
		zap.Int("status", resp.status),
		zap.Bool("duplicate", got.duplicate),
		zap.Duration("took", took),
	)
	if got.event.ID != "" {
		fields = append(fields,
			zap.String("event_id", schema.Token(got.event.ID)),
			zap.String("subject", got.event.Subject()))
	}
	if got.span != nil {
		if id := process.KeptTrace(got.span); id != "" {
			fields = append(fields, zap.String("trace_id", id))
		}
	}
	if err := errors.Join(got.quarantined, err); err != nil {
		fields = append(fields, zap.Error(err))
	}
	line.Write(fields...)
}

// Outcomes of a webhook, in the log and in wagewire_ingress_webhooks_total.
const (
	outcomeStored      = "stored"
	outcomeDuplicate   = "duplicate"
	outcomeQuarantined = "quarantined"
	outcomeRejected    = "rejected"
	outcomeUnavailable = "unavailable"
)

func outcomeOf(got receipt, resp response) string {
	switch {
	case resp.status == http.StatusServiceUnavailable:
		return outcomeUnavailable
	case resp.status != http.StatusOK:
		return outcomeRejected
	case got.quarantined != nil:
		return outcomeQuarantined
	case got.duplicate:
		return outcomeDuplicate
	default:
		return outcomeStored
	}
}

func levelOf(got receipt, outcome string) zapcore.Level {
	switch {
	case outcome == outcomeUnavailable:
		return zapcore.ErrorLevel
	case outcome == outcomeQuarantined && got.duplicate:
		return zapcore.WarnLevel // the first body of the id is stored
	case outcome == outcomeQuarantined:
		return zapcore.ErrorLevel
	case outcome == outcomeRejected:
		return zapcore.DebugLevel
	default:
		return zapcore.InfoLevel
	}
}

// Names for a type that is not in the catalogue, in labels and in the log.
const (
	typeOther  = "other"
	typeUnread = "unread"
)

func typeLabel(e schema.Event) string {
	switch {
	case e.Type == "":
		return typeUnread
	case !schema.Lookup(e.Provider, e.Type).Known():
		return typeOther
	default:
		return e.Type
	}
}

func providerField(p schema.Provider) zap.Field { return zap.String("provider", string(p)) }

// onceEach remembers names, at most unknownTypesMax.
type onceEach struct {
	mu   sync.Mutex
	seen map[string]bool
}

// isFirst is true at the first call with a name. After unknownTypesMax names every new name gets
// false.
func (o *onceEach) isFirst(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[name] || len(o.seen) >= unknownTypesMax {
		return false
	}
	o.seen[name] = true
	return true
}
