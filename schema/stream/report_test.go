package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// reporterOf is the reporter of a process of ingress.
func reporterOf(seen map[schema.Provider]schema.ProviderReport) stream.Reporter {
	return stream.Reporter{
		Role: "ingress", Version: "v1", Every: 10 * time.Millisecond,
		Providers: func() map[schema.Provider]schema.ProviderReport { return seen },
	}
}

func reportsOf(t *testing.T, c *stream.Conn) []schema.Report {
	t.Helper()
	reports, err := operator(c).Reports(t.Context())
	must(t, err)
	return reports
}

func TestAProcessReportsUntilItStops(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	seen := map[schema.Provider]schema.ProviderReport{
		schema.Truv: {Calls: schema.Recent{Failed: 2}, Status: 500, Endpoint: "/v1/links/{id}"},
	}
	var during []schema.Report
	must(t, c.ReportWhile(t.Context(), reporterOf(seen), func(context.Context) error {
		streamtest.Eventually(t, "there is a report", func() bool {
			during = reportsOf(t, c)
			return len(during) == 1
		})
		return nil
	}))
	first := during[0]
	if first.Role != "ingress" || first.Version != "v1" || first.Stopped || first.Instance == "" {
		t.Errorf("while it runs: %+v", first)
	}
	if diff := cmp.Diff(seen, first.Providers); diff != "" {
		t.Errorf("what it saw (-want +got):\n%s", diff)
	}
	after := reportsOf(t, c)
	if len(after) != 1 || !after[0].Stopped || after[0].Instance != first.Instance {
		t.Errorf("after it stopped: %+v, want one report of the same process, stopped", after)
	}
}

func TestAReportThatIsReplacedIsNotMissed(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	reporter := reporterOf(nil)
	reporter.Every = time.Millisecond
	must(t, c.ReportWhile(t.Context(), reporter, func(context.Context) error {
		streamtest.Eventually(t, "there is a report", func() bool {
			return len(reportsOf(t, c)) == 1
		})
		for n := range 200 {
			if got := reportsOf(t, c); len(got) != 1 {
				t.Fatalf("look %d: got %+v, want one report", n, got)
			}
		}
		return nil
	}))
}

func TestAProcessThatFailsDoesNotReportAStop(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	failure := errors.New("failure")
	err := c.ReportWhile(t.Context(), reporterOf(nil), func(context.Context) error {
		streamtest.Eventually(t, "there is a report", func() bool {
			return len(reportsOf(t, c)) == 1
		})
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if got := reportsOf(t, c); len(got) != 1 || got[0].Stopped {
		t.Errorf("got %+v, want one report without a stop", got)
	}
}

func TestAProcessWorksWithoutAStreamOfReports(t *testing.T) {
	t.Parallel()
	s := streamtest.Run(t, streamtest.Config{})
	c := s.Connect(t)
	failed := make(chan error, 1)
	must(t, c.ReportWhile(t.Context(), reporterOf(nil), func(ctx context.Context) error {
		failed <- operator(c).Stores(ctx)
		return nil
	}))
	if err := <-failed; !errors.Is(err, stream.ErrNoReports) {
		t.Errorf("Stores returned %v", err)
	}
	if got := reportsOf(t, c); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAReportOnTheSubjectOfAnotherRoleDoesNotCount(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	body, err := json.Marshal(schema.Report{Role: "ingress", Instance: "1"})
	must(t, err)
	for _, subject := range []string{
		schema.ReportSubject("paystubs", "1"), schema.ReportSubject("ingress", "1"),
	} {
		_, err = look(t, s).PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: body})
		must(t, err)
	}
	_, err = look(t, s).Publish(t.Context(), schema.ReportSubject("ingress", "2"), []byte("{"))
	must(t, err)
	if got := reportsOf(t, c); len(got) != 1 {
		t.Errorf("got %+v, want only the report on its own subject", got)
	}
}

func TestStoresReplacesWhatItStored(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	for range 3 {
		must(t, operator(c).Stores(t.Context()))
	}
	if got := look(t, s).all(schema.ReportsStream, ">"); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
	if got := reportsOf(t, c); len(got) != 0 {
		t.Errorf("its own message is among the reports: %+v", got)
	}
}
