package stream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
)

// ErrNoReports: the broker stores no reports of this process, because it has the streams or the
// accounts of an earlier release. Only operators read reports.
var ErrNoReports = fmt.Errorf("the broker stores no reports: "+
	"load the accounts.conf of this release into NATS, then %w", ErrNoQueue)

// Reporter tells operators about a process: see schema.Report.
type Reporter struct {
	// Role is the role of the process.
	Role string
	// Version is the version of the binary.
	Version string
	// Every is the time between two reports. If 0, schema.ReportEvery.
	Every time.Duration
	// Providers returns what the process has seen of each provider. Nil: nothing.
	Providers func() map[schema.Provider]schema.ProviderReport
}

// ReportWhile calls run, and reports until run returns. After run has returned nil, the last report
// says that the process stopped in order. A report that the broker does not store is logged once,
// and changes nothing else. The error is that of run.
func (c *Conn) ReportWhile(
	ctx context.Context, r Reporter, run func(context.Context) error,
) error {
	reporting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	process := reporter{Reporter: r, conn: c, last: schema.Report{
		Role: r.Role, Version: r.Version, Instance: newInstance(), Started: time.Now().UTC(),
	}}
	if process.Every == 0 {
		process.Every = schema.ReportEvery
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		process.repeat(reporting)
	}()
	err := run(ctx)
	stop()
	<-ended
	if err == nil {
		process.last.Stopped = true
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.tryFor)
		defer cancel()
		process.report(last)
	}
	return err
}

// newInstance returns a random token.
func newInstance() string { return rand.Text()[:16] }

// reporter reports about one process.
type reporter struct {
	Reporter
	conn *Conn
	last schema.Report
	// warned is true if the log says that the broker stores no reports.
	warned bool
}

// repeat reports until ctx ends. While the broker is away, repeat tries again sooner.
func (r *reporter) repeat(ctx context.Context) {
	for {
		wait := r.Every
		if !r.report(ctx) {
			wait = min(wait, lookAgainAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// report stores a report, and says whether it did.
func (r *reporter) report(ctx context.Context) (stored bool) {
	r.last.At = time.Now().UTC()
	if r.Providers != nil {
		r.last.Providers = r.Providers()
	}
	err := r.conn.publishReport(ctx, r.last)
	if err == nil {
		r.warned = false
		return true
	}
	if !r.warned && ctx.Err() == nil && r.conn.Connected() == nil {
		r.warned = true
		r.conn.log.Warn("report not stored: wagewire status does not know of this process",
			zap.Error(err))
	}
	return false
}

// publishReport stores the report in the place of the one before. It asks the broker once: the next
// report is newer.
func (c *Conn) publishReport(ctx context.Context, report schema.Report) error {
	body, err := json.Marshal(report)
	if err != nil {
		return err
	}
	msg := &nats.Msg{
		Subject: schema.ReportSubject(report.Role, report.Instance),
		Data:    body,
		Header:  nats.Header{headerContentType: {jsonContentType}},
	}
	_, err = askOnce(ctx, c, func(ctx context.Context) (*jetstream.PubAck, error) {
		return c.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(schema.ReportsStream))
	})
	if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) {
		return ErrNoReports
	}
	return err
}

// probeInstance is the instance of the operator's own reports, which only find out whether the
// broker stores.
const probeInstance = "probe"

// Stores returns nil if the broker stores a message now. It replaces the message that the last call
// stored. The error is ErrNoReports if the stream of the reports does not exist.
func (o *Operator) Stores(ctx context.Context) error {
	return o.publishReport(ctx, schema.Report{
		Role: RoleOperator, Instance: probeInstance, At: time.Now().UTC(), Stopped: true,
	})
}

// Reports returns the last report of each process that reported within schema.ReportKeptFor. It
// returns none if the broker has no stream of reports. A report that cannot be read is left out.
func (o *Operator) Reports(ctx context.Context) ([]schema.Report, error) {
	var reports []schema.Report
	places := map[string]int{}
	// A report replaces the one before, also while the scan reads.
	err := o.Scan(ctx, schema.ReportsStream, Selection{Later: true}, func(m Stored) error {
		var report schema.Report
		err := json.Unmarshal(m.Body, &report)
		// The subject says who the process is: its account cannot publish on another one.
		isOwn := report.Role == schema.ReportRole(m.Subject)
		if err == nil && isOwn && report.Instance != probeInstance {
			place, isKnown := places[m.Subject]
			if !isKnown {
				place = len(reports)
				places[m.Subject] = place
				reports = append(reports, report)
			}
			reports[place] = report
		}
		return nil
	})
	if errors.Is(err, ErrNoQueue) {
		return nil, nil
	}
	return reports, err
}
