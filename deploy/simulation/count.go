package simulation

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/deploy/simulation/report"
	"github.com/wagewire/wagewire/schema"
)

// notReadySteps and retrySteps are the lengths of the default ladders.
const (
	notReadySteps = 4
	retrySteps    = 12
)

// check compares the ledger with the streams, the calls and the metrics.
func (w *world) check() error {
	ctx, cancel := context.WithTimeout(w.ctx, time.Hour)
	defer cancel()
	for _, id := range w.watch.unended() {
		w.violate("unfinished", id, "the event has no last word")
	}
	store, err := w.broker.js.ObjectStore(ctx, schema.RecordsBucket)
	if err != nil {
		return err
	}
	steps := ledger.Steps{NotReady: notReadySteps, Retry: retrySteps}
	readRecords := func(ref schema.RecordsRef) ([]byte, error) {
		return store.GetBytes(ctx, ref.Name)
	}
	c := ledger.NewCheck(w.ledger, w.served, steps, readRecords)
	states := ledger.NewStates(nil)
	var completions []string
	takes := map[string]func(ledger.Message){
		schema.EventsStream: c.AddEvent,
		schema.CompletionsStream: func(m ledger.Message) {
			if strings.HasPrefix(m.Subject, "wagewire.completions.") {
				completions = append(completions, nats.Header(m.Header).Get(nats.MsgIdHdr))
			}
			c.AddCompletion(m)
			states.AddCompletion(m)
		},
		schema.AccountsStream:    states.AddState,
		schema.DeadLettersStream: c.AddDeadLetter,
		schema.QuarantineStream:  c.AddQuarantined,
	}
	for _, q := range schema.Queues() {
		takes[q.WaitingStream()] = c.AddWaiting
	}
	erased := w.erasedTexts()
	names := w.broker.js.StreamNames(ctx)
	for name := range names.Name() {
		take := takes[name]
		err := w.broker.readAll(ctx, name, func(m *jetstream.RawStreamMsg) {
			w.checkErased(name, m, erased)
			if take != nil {
				take(ledger.Message{
					Subject: m.Subject, Header: m.Header, Sequence: m.Sequence, Data: m.Data,
				})
			}
		})
		if err != nil {
			return err
		}
	}
	if names.Err() != nil {
		return names.Err()
	}
	w.completions = len(completions)
	c.SetDrained()
	c.Finish()
	for _, v := range append(c.Violations(), states.Violations()...) {
		w.violate(v.What, v.ID, "%s", v.Why)
	}
	w.team.check(completions)
	w.gate.checkRates()
	w.checkMetrics(completions)
	return nil
}

// erasedText is a text that no store may hold, of an erased account.
type erasedText struct{ link, text string }

// erasedTexts returns the ids and the tokens of the links that are erased.
func (w *world) erasedTexts() (texts []erasedText) {
	w.watch.mu.Lock()
	defer w.watch.mu.Unlock()
	for _, p := range w.people {
		if w.watch.erased["truv."+schema.Token(p.LinkID)] {
			texts = append(texts, erasedText{p.LinkID, p.LinkID})
		}
	}
	return texts
}

// checkErased checks that a message has nothing of an erased account. The tombstone, the completion
// `deleted` and the state that it makes name the account, and nothing else.
func (w *world) checkErased(stream string, m *jetstream.RawStreamMsg, erased []erasedText) {
	isState := stream == schema.AccountsStream // ledger.States compares it with the completion
	if isState || strings.HasPrefix(m.Subject, "wagewire.tombstones.") ||
		m.Header.Get("Wagewire-Outcome") == string(schema.Deleted) {
		return
	}
	whole := fmt.Appendf(nil, "%s %v %s", m.Subject, m.Header, m.Data)
	for _, e := range erased {
		if bytes.Contains(whole, []byte(e.text)) {
			w.violate("erased", e.link, "%s still has a message at %s", stream, m.Subject)
		}
	}
	if bytes.Contains(m.Data, []byte("fake-access-token-")) {
		w.violate("secret", m.Subject, "%s holds an access token", stream)
	}
}

// checkMetrics compares the counts of the metrics with the ledger. If processes or the broker
// ended, their last counts are lost, and only a schedule without such ends is compared.
func (w *world) checkMetrics(completions []string) {
	if !w.schedule.Calm {
		return
	}
	for _, q := range schema.Queues() {
		if q.Provider != schema.Pinwheel { // erasures remove what the metrics have counted
			continue
		}
		counted := -w.metrics.sum("wagewire_worker_fenced_total", queueLabel(q))
		for _, o := range []schema.Outcome{
			schema.Succeeded, schema.Pending, schema.Unavailable, schema.Failed,
			schema.Disconnected,
		} {
			counted += w.jobs(q, string(o))
		}
		stored := 0
		for _, id := range completions {
			_, r, _ := schema.ParseCompletionKey(id)
			if r == q.Resource && strings.HasPrefix(id, string(q.Provider)+":") {
				stored++
			}
		}
		if int(counted) != stored {
			w.violate("metric", q.Name, "the metrics count %v completions, and %d are stored",
				counted, stored)
		}
	}
	for _, p := range schema.Providers() {
		ofProvider := map[string]string{"provider": string(p)}
		w.gate.mu.Lock()
		calls := len(w.gate.calls[p])
		w.gate.mu.Unlock()
		for _, name := range []string{"wagewire_api_call_seconds", "wagewire_budget_turns_total"} {
			if counted := w.metrics.sum(name, ofProvider); int(counted) != calls {
				w.violate("metric", name, "the metric counts %v calls to %s, and %d arrived",
					counted, p, calls)
			}
		}
	}
	w.checkEndMetrics()
	w.checkIngressMetrics()
}

func queueLabel(q schema.Queue) map[string]string { return map[string]string{"queue": q.Name} }

// jobs is how many jobs of a queue the metrics count with an outcome.
func (w *world) jobs(q schema.Queue, outcome string) float64 {
	labels := map[string]string{"queue": q.Name, "outcome": outcome}
	return w.metrics.sum("wagewire_worker_jobs_total", labels)
}

// checkEndMetrics compares the counts of dead letters, and of completions that an erasure refused.
// A dead letter may be stored several times, and whether each is counted nobody has promised.
func (w *world) checkEndMetrics() {
	for _, q := range schema.Queues() {
		letters := int(w.metrics.sum("wagewire_worker_dead_letters_total", queueLabel(q)))
		if events, messages := w.watch.lettersOf(q.Name); letters < events || letters > messages {
			w.violate("metric", q.Name, "the metrics count %d dead letters, and %d events had %d",
				letters, events, messages)
		}
		dropped := w.metrics.sum("wagewire_worker_dropped_total", queueLabel(q))
		erased := w.jobs(q, "erased")
		// Only Truv tells of deletions.
		if dropped != erased || q.Provider != schema.Truv && dropped > 0 {
			w.violate("metric", q.Name, "the metrics count %v completions and %v jobs of erased "+
				"accounts", dropped, erased)
		}
	}
}

// checkIngressMetrics compares the counts of webhooks by what became of them.
func (w *world) checkIngressMetrics() {
	const name = "wagewire_ingress_webhooks_total"
	counted := func(outcome string) int {
		return int(w.metrics.sum(name, map[string]string{"outcome": outcome}))
	}
	answered := counted("stored") + counted("duplicate") + counted("quarantined")
	if accepted := w.sent.Load() - w.unanswered.Load(); int64(answered) != accepted {
		w.violate("metric", name, "the metrics count %v webhooks, and %d were answered 200",
			answered, accepted)
	}
	different := 0
	for _, e := range w.ledger.Entries() {
		if e.Provider == schema.Pinwheel && e.IsAccepted() && e.Kind != ledger.Unreadable {
			different++
		}
	}
	// After an erasure, a copy of Truv's webhook is stored and erased again.
	stored := w.metrics.sum(name, map[string]string{
		"outcome": "stored", "provider": string(schema.Pinwheel),
	})
	if int(stored) != different {
		w.violate("metric", name, "the metrics count %v stored webhooks of pinwheel, and %d "+
			"different ones were answered 200", stored, different)
	}
	duplicates := int(w.metrics.sum("wagewire_ingress_duplicates_total", nil))
	if n := counted("duplicate"); n != duplicates {
		w.violate("metric", "wagewire_ingress_duplicates_total",
			"the metrics count %d duplicates, and %d answers for them", duplicates, n)
	}
}

// report describes the run.
func (w *world) report() report.Report {
	w.watch.mu.Lock()
	waits, lives := w.watch.waits, len(w.watch.lives)
	w.watch.mu.Unlock()
	fired := 0
	w.gate.mu.Lock()
	for _, f := range w.schedule.Faults {
		if !isOfProviders(f.Kind) || w.gate.fired[f.String()] {
			fired++
		}
	}
	w.gate.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	return report.Report{
		Seed: w.schedule.Seed, Hours: time.Since(w.began).Hours(), Webhooks: int(w.sent.Load()),
		Events: lives, Faults: len(w.schedule.Faults), Kills: int(w.kills.Load()),
		Completions: w.completions, Fired: fired, Waits: waits, Violations: w.violations,
	}
}
