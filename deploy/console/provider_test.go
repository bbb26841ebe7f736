package console

import (
	"net/http"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func TestTheProvidersPageSaysWhatIsKnownOfEach(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	state := busyState()
	ago := func(d time.Duration) time.Time { return stateAt.Add(-d) }
	state.Providers = []health.ProviderState{
		{
			Provider: schema.Pinwheel, LastWebhook: ago(9 * time.Hour),
			Silence: &health.Silence{Usual: 1234},
			ProviderReport: schema.ProviderReport{
				Calls: schema.Recent{
					OK: 1_500, Failed: 2_600, InARow: 17, Since: ago(7 * time.Minute),
					LastFailed: ago(3 * time.Second),
				},
				Status: 503, Endpoint: hostile,
				Signatures: schema.Recent{OK: 21, LastOK: ago(time.Minute)},
				Dates:      schema.Recent{Failed: 5, InARow: 5, LastFailed: ago(4 * time.Second)},
				SkewS:      -3_600,
			},
		},
		{Provider: schema.Truv},
	}
	state.Budgets = []stream.BudgetStatus{
		{
			Provider: schema.Pinwheel, At: stateAt,
			Budget: schema.Budget{
				RatePerS: 2.5, Hold: schema.BudgetHold{Until: stateAt.Add(90 * time.Second)},
				LastMinute: schema.BudgetMinute{
					Began: stateAt.Truncate(time.Minute).Add(-time.Minute), Turns: 150, Replays: 30,
					WaitedS: 4.26,
				},
			},
		},
		{Provider: schema.Truv, At: stateAt, Unreadable: "the budget of truv is " + hostile},
	}
	b.watch.show(state)
	got := b.get("/providers", ritaToken)
	b.wantsText(got)
	for promise, texts := range map[string][]string{
		"the last webhook, and that the silence is unusual": {
			"9h0m", "unusual, when 1234 webhooks or more came",
		},
		"our calls":                     {"1\u202f500", "2\u202f600", ">17<", "7m0s", "503 from "},
		"dates far from our clock":      {"1h0m0s after our clock"},
		"signatures":                    {">21<", "1m0s"},
		"the budget":                    {"2.5 calls a second", "30 turns", "4.3s"},
		"its load in the last minute":   {"2.5 turns a second"},
		"until when it is held":         {"2024-05-06 07:09:39Z", "(in 1m30s)"},
		"what the words stand for":      {"A turn is the right to one call.", "answered 429", "Dates of webhooks: failed if"},
		"a budget that cannot be read":  {"the budget of truv is "},
		"queues that are refused":       {`href="/queues/pinwheel_income"`, "unauthorized, 401 from", ">4<"},
		"findings, with a link to each": {`href="/findings/provider-failing"`, `href="/findings/clock-skew"`},
	} {
		t.Run(promise, func(t *testing.T) {
			b := &bench{T: t}
			b.wants(got, http.StatusOK, texts...)
		})
	}
}

func TestTheTeamsPageSaysHowFarBehindEachIs(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	state := health.State{At: stateAt}
	b.watch.show(state)
	b.wants(b.get("/teams", ritaToken), http.StatusOK, "Nobody subscribes")
	state.Durables = []stream.Durable{
		{
			Team: "lending", Name: "lending", Resources: []schema.Resource{schema.Paystubs, schema.Income},
			Pending: 1_234_567, InHand: 100, Oldest: stateAt.Add(-20 * 24 * time.Hour),
			LostAt: stateAt.Add(26 * time.Hour), Created: stateAt.Add(-1000 * time.Hour),
			Active: stateAt.Add(-30 * time.Hour)},
		{Team: "lending", Name: "lending_2", Pending: 1, Requests: 3, Created: stateAt},
		{Name: hostile, Pending: 2, Created: stateAt},
	}
	b.watch.show(state)
	got := b.get("/teams", ritaToken)
	b.wantsText(got)
	for promise, texts := range map[string][]string{
		"the exact lag of a team, over its durables": {"1\u202f234\u202f668"},
		"each durable":                          {"lending_2", "paystubs, income", "1\u202f234\u202f567", ">100<", ">3<"},
		"when completions are lost":             {"in 1d2h", "20d0h"},
		"who is active":                         {"1d6h"},
		"an abandoned durable":                  {"abandoned</span>"},
		"a durable that was made by hand":       {"made by hand"},
		"the finding about a team":              {`href="/findings/team-behind"`},
		"the command that prints the same":      {"wagewire team list"},
		"what the words of the table stand for": {"the stream deletes"},
	} {
		t.Run(promise, func(t *testing.T) {
			b := &bench{T: t}
			b.wants(got, http.StatusOK, texts...)
		})
	}
}
