package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// lending is a team that reads paystubs with one durable.
func lending() stream.Team {
	return stream.Team{
		Name: "lending", Resources: []schema.Resource{schema.Paystubs},
		Durables: []string{"lending"}, Key: "UALENDING",
	}
}

// makeTeam plans and applies, and returns the plan.
func makeTeam(t *testing.T, c *stream.Conn, team stream.Team, how stream.Reading) []string {
	t.Helper()
	changes, err := operator(c).PlanTeam(t.Context(), team, how)
	must(t, err)
	must(t, operator(c).Apply(t.Context(), changes))
	var texts []string
	for _, change := range changes {
		texts = append(texts, change.String())
	}
	return texts
}

func durables(t *testing.T, c *stream.Conn) []stream.Durable {
	t.Helper()
	durables, err := operator(c).Durables(t.Context())
	must(t, err)
	return durables
}

// completePaystubs stores a completion of paystubs for each id.
func completePaystubs(t *testing.T, c *stream.Conn, ids ...string) {
	t.Helper()
	for _, id := range ids {
		e := paystubs(id, "a-1")
		complete(t, c, e, succeeded(e))
	}
}

func TestCheckTeamName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"lending": true, "a": true, "7": true, "risk-eu-2": true, strings.Repeat("a", 32): true,
		"": false, "-a": false, "Lending": false, "a_b": false, "a.b": false, "*": false,
		"a b": false, "é": false, strings.Repeat("a", 33): false, "a\n": false,
	} {
		if err := stream.CheckTeamName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestATeamReadsItsResourcesAndEveryLink(t *testing.T) {
	t.Parallel()
	want := []string{
		"wagewire.completions.pinwheel.paystubs.*.*", "wagewire.completions.pinwheel.link.*.*",
		"wagewire.completions.truv.paystubs.*.*", "wagewire.completions.truv.link.*.*",
	}
	if diff := cmp.Diff(want, lending().Filters()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATeamsDurableHasLimits(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	makeTeam(t, c, lending(), stream.Reading{})
	consumer, err := look(t, s).Consumer(t.Context(), schema.CompletionsStream, "lending")
	must(t, err)
	config := consumer.CachedInfo().Config
	for promise, holds := range map[string]bool{
		"it acknowledges one by one":       config.AckPolicy == jetstream.AckExplicitPolicy,
		"it starts with the stream":        config.DeliverPolicy == jetstream.DeliverAllPolicy,
		"completions in hand":              config.MaxAckPending == 1000,
		"requests that wait":               config.MaxWaiting == 512,
		"completions of a request":         config.MaxRequestBatch == 1000,
		"bytes of a request":               config.MaxRequestMaxBytes == 64<<20,
		"the time of a request":            config.MaxRequestExpires == 5*time.Minute,
		"the time for a completion":        config.AckWait == time.Minute,
		"it stays when nobody reads":       config.InactiveThreshold == 0,
		"it delivers until it is answered": config.MaxDeliver == -1,
	} {
		if !holds {
			t.Errorf("%s: %+v", promise, config)
		}
	}
}

func TestTheSameTeamAgainChangesNothing(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	team := lending()
	team.Durables = append(team.Durables, stream.TeamDurable("lending", "reports"))
	first := makeTeam(t, c, team, stream.Reading{})
	if len(first) != 2 || !strings.HasPrefix(first[1], "+ durable lending_reports\n") {
		t.Errorf("the first plan: %q", first)
	}
	// A durable keeps its position, so the time does not count a second time.
	again := makeTeam(t, c, team, stream.Reading{Since: time.Now()})
	if len(again) != 0 {
		t.Errorf("the second plan: %q", again)
	}
	if diff := cmp.Diff([]stream.Team{team}, stream.TeamsOf(durables(t, c))); diff != "" {
		t.Errorf("the broker's team (-want +got):\n%s", diff)
	}
}

func TestAChangedTeamKeepsItsPosition(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	completePaystubs(t, c, "e-1", "e-2")
	makeTeam(t, c, lending(), stream.Reading{})
	acknowledge(t, s, "lending", 1)
	team := lending()
	team.Resources = append(team.Resources, schema.Income)
	team.Key = "UANEW"
	income := "wagewire.completions.%s.income.*.* "
	pinwheel := "wagewire.completions.pinwheel.paystubs.*.* wagewire.completions.pinwheel.link.*.* "
	truv := "wagewire.completions.truv.paystubs.*.* wagewire.completions.truv.link.*.*"
	before := pinwheel + truv
	after := fmt.Sprintf(income, "pinwheel") + pinwheel + fmt.Sprintf(income, "truv") + truv
	want := []string{`~ durable lending
    resources: paystubs -> paystubs,income
    key: UALENDING -> UANEW
    filter_subjects: ` + before + ` -> ` + after}
	if diff := cmp.Diff(want, makeTeam(t, c, team, stream.Reading{})); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if d := durables(t, c)[0]; d.Lag() != 1 || d.Key != "UANEW" {
		t.Errorf("got %+v", d)
	}
}

// acknowledge takes completions of a durable as its team does, and acknowledges them.
func acknowledge(t *testing.T, s *streamtest.Server, durable string, n int) {
	t.Helper()
	consumer, err := look(t, s).Consumer(t.Context(), schema.CompletionsStream, durable)
	must(t, err)
	for range n {
		msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Minute))
		must(t, err)
		must(t, msg.DoubleAck(t.Context()))
	}
}

func TestADurableMadeByHandIsAdoptedAtItsPosition(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	completePaystubs(t, c, "e-1", "e-2", "e-3")
	makeByHand(t, s, jetstream.ConsumerConfig{
		Durable: "lending-prod", FilterSubject: "wagewire.completions.*.paystubs.>",
		AckPolicy: jetstream.AckExplicitPolicy, MaxWaiting: 7,
	})
	acknowledge(t, s, "lending-prod", 2)
	team := lending()
	team.Durables = []string{"lending-prod"}
	plan := makeTeam(t, c, team, stream.Reading{Adopt: "lending-prod"})
	if len(plan) != 1 || !strings.Contains(plan[0], "\n    team:  -> lending\n") {
		t.Errorf("plan %q", plan)
	}
	d := durables(t, c)[0]
	if d.Team != "lending" || d.Lag() != 1 {
		t.Errorf("got %+v", d)
	}
	if plan := makeTeam(t, c, team, stream.Reading{}); len(plan) != 0 {
		t.Errorf("again: %q", plan)
	}
}

func makeByHand(t *testing.T, s *streamtest.Server, config jetstream.ConsumerConfig) {
	t.Helper()
	_, err := look(t, s).CreateConsumer(t.Context(), schema.CompletionsStream, config)
	must(t, err)
}

func TestATeamGetsNoDurableThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	other := lending()
	other.Name = "risk"
	other.Durables = []string{"risk"}
	makeTeam(t, c, other, stream.Reading{})
	for _, config := range []jetstream.ConsumerConfig{
		{Durable: "lending", AckPolicy: jetstream.AckExplicitPolicy},
		{Durable: "whole", AckPolicy: jetstream.AckAllPolicy},
	} {
		makeByHand(t, s, config)
	}
	_, err := look(t, s).CreatePushConsumer(t.Context(), schema.CompletionsStream,
		jetstream.ConsumerConfig{
			Durable: "pushed", DeliverSubject: "x", AckPolicy: jetstream.AckExplicitPolicy,
		})
	must(t, err)
	for promise, test := range map[string]struct{ durable, adopt, why string }{
		"another team's": {"risk", "risk", "is of team risk"},
		"one made by hand, without the word": {
			"lending", "", "made by hand: --adopt lending takes it over",
		},
		"one to which the broker pushes": {"pushed", "pushed", "must pull"},
		"one that acknowledges several":  {"whole", "whole", "the ack policy"},
	} {
		t.Run(promise, func(t *testing.T) {
			team := lending()
			team.Durables = []string{test.durable}
			changes, err := operator(c).PlanTeam(t.Context(), team,
				stream.Reading{Adopt: test.adopt})
			must(t, err)
			if len(changes) != 1 || !strings.Contains(changes[0].Refused, test.why) {
				t.Errorf("plan %q", changes)
			}
		})
	}
}

func TestANewDurableBeginsAtItsTime(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	completePaystubs(t, c, "e-1", "e-2")
	team := lending()
	team.Durables = []string{"all"}
	makeTeam(t, c, team, stream.Reading{})
	team.Durables = []string{"now"}
	makeTeam(t, c, team, stream.Reading{Since: time.Now().Add(time.Hour)})
	lags := map[string]uint64{}
	for _, d := range durables(t, c) {
		lags[d.Name] = d.Lag()
	}
	if diff := cmp.Diff(map[string]uint64{"all": 2, "now": 0}, lags); diff != "" {
		t.Errorf("lags (-want +got):\n%s", diff)
	}
}

func TestDurablesSayWhatEachTeamHasLeft(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	makeByHand(t, s, jetstream.ConsumerConfig{
		Durable: "by-hand", AckPolicy: jetstream.AckExplicitPolicy,
	})
	makeTeam(t, c, lending(), stream.Reading{})
	tail, err := operator(c).Tail(t.Context(), "", time.Time{})
	must(t, err)
	defer tail.Close()
	completePaystubs(t, c, "e-1", "e-2", "e-3")
	acknowledge(t, s, "lending", 1)
	got := durables(t, c)
	if len(got) != 2 || got[0].Name != "lending" || got[1].Name != "by-hand" || got[1].Team != "" {
		t.Fatalf("got %+v", got)
	}
	d := got[0]
	age := 21 * 24 * time.Hour
	if d.Pending != 2 || d.InHand != 0 || d.Oldest.IsZero() || d.Active.IsZero() ||
		!d.LostAt.Equal(d.Oldest.Add(age)) || d.Requests != 0 {
		t.Errorf("got %+v", d)
	}
	if got[1].Lag() != 3 || !got[1].Oldest.Before(d.Oldest) || !got[1].Active.IsZero() {
		t.Errorf("by hand: %+v, and lending's oldest is of %s", got[1], d.Oldest)
	}
	must(t, operator(c).DeleteDurable(t.Context(), "by-hand"))
	must(t, operator(c).DeleteDurable(t.Context(), "by-hand"))
	if left := durables(t, c); len(left) != 1 {
		t.Errorf("left: %+v", left)
	}
}

func TestADurableIsAbandonedWhenNobodyTakesForADay(t *testing.T) {
	t.Parallel()
	now := received
	ago := func(hours int) time.Time { return now.Add(-time.Duration(hours) * time.Hour) }
	for promise, test := range map[string]struct {
		durable stream.Durable
		want    bool
	}{
		"nothing waits": {stream.Durable{Created: ago(99)}, false},
		"it was never read": {
			stream.Durable{Pending: 1, Created: ago(99), Oldest: ago(98)}, true,
		},
		"it was read long ago": {
			stream.Durable{InHand: 1, Created: ago(99), Active: ago(25), Oldest: ago(98)}, true,
		},
		"it was read today": {
			stream.Durable{Pending: 1, Created: ago(99), Active: ago(23), Oldest: ago(98)}, false,
		},
		"it is new, and begins with old completions": {
			stream.Durable{Pending: 1, Created: ago(1), Oldest: ago(98)}, false,
		},
		"the broker forgot, and the oldest came today": {
			stream.Durable{Pending: 1, Created: ago(99), Oldest: ago(3)}, false,
		},
		"a program asks": {
			stream.Durable{Pending: 1, Created: ago(99), Oldest: ago(98), Requests: 1}, false,
		},
	} {
		if got := test.durable.Abandoned(now, 24*time.Hour); got != test.want {
			t.Errorf("%s: abandoned is %t", promise, got)
		}
	}
}

func TestAWrongDomainIsNamedInTheError(t *testing.T) {
	t.Parallel()
	s, _ := streamtest.New(t)
	c, err := stream.Connect(stream.Config{URL: s.URL(), Domain: "elsewhere"}, "x", zap.NewNop())
	must(t, err)
	t.Cleanup(c.Close)
	for what, err := range map[string]error{
		"ready": c.Ready(t.Context()),
		"queue": c.Queue(queueOf(schema.Paystubs)).Ready(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "NATS_JS_DOMAIN") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
