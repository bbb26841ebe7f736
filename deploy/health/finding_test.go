package health_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

var at = time.Date(2026, 11, 28, 22, 30, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return at.Add(-d) }

// well is an installation without a finding.
func well() health.State {
	s := health.State{At: at}
	for _, role := range []string{"ingress", "income", "link"} {
		s.Processes = append(s.Processes, health.RoleState{Role: role, Running: 1, Seen: at})
	}
	for _, p := range schema.Providers() {
		s.Providers = append(s.Providers, health.ProviderState{
			Provider: p, LastWebhook: ago(time.Minute),
		})
	}
	for _, q := range []string{"pinwheel_income", "truv_link"} {
		s.Queues = append(s.Queues, stream.QueueStatus{Name: q})
	}
	s.Streams = []stream.Level{{
		Name: schema.EventsStream, Messages: 1, Bytes: 100, BytesMax: 100_000,
		Oldest: ago(13 * 24 * time.Hour), MaxAge: 14 * 24 * time.Hour,
	}}
	return s
}

// findings are the rows of TestFindings: the change of a well installation, and the line that tells
// of it, "" for none.
var findings = map[string]struct {
	change func(*health.State)
	want   string
}{
	"nothing is wrong": {func(*health.State) {}, ""},

	"NATS is away": {
		func(s *health.State) { *s = health.Unknown(errors.New("nats is not connected")) },
		"BAD   wagewire cannot read NATS: nats is not connected: see whether NATS runs, and its log " +
			"(wagewire explain broker-away)",
	},
	"NATS stores nothing": {
		func(s *health.State) { s.NotStoring = "no space left" },
		"BAD   NATS stores nothing: no space left: see the log of NATS and the room on its " +
			"volume, then restart it (wagewire explain broker-not-storing)",
	},
	"ingress cannot store two webhooks": {
		func(s *health.State) {
			s.Providers[0].Stored = schema.Recent{
				InARow: 2, Since: ago(time.Minute), LastFailed: ago(time.Second),
			}
		},
		"BAD   NATS stores no webhooks of pinwheel since 22:29Z: see the log of NATS and the room " +
			"on its volume, then restart it (wagewire explain broker-not-storing)",
	},
	"ingress could not store one webhook": {
		func(s *health.State) {
			s.Providers[0].Stored = schema.Recent{InARow: 1, LastFailed: ago(time.Second)}
		}, "",
	},
	"ingress could not store webhooks a minute ago": {
		func(s *health.State) {
			s.Providers[0].Stored = schema.Recent{InARow: 9, LastFailed: ago(time.Minute)}
		}, "",
	},
	"a stream is missing": {
		func(s *health.State) { s.Missing = []string{"WAGEWIRE_EVENTS"} },
		"BAD   not there: WAGEWIRE_EVENTS: run wagewire provision apply " +
			"(wagewire explain not-provisioned)",
	},
	"a stream is full": {
		func(s *health.State) { s.Streams[0].Bytes = 95_000 },
		"BAD   stream WAGEWIRE_EVENTS is 95 % full: wagewire provision apply --max-bytes " +
			"WAGEWIRE_EVENTS=195.3KiB (wagewire explain stream-full)",
	},
	"a stream is full of messages": {
		func(s *health.State) {
			s.Streams[0].Messages = 950
			s.Streams[0].MessagesMax = 1000
		},
		"BAD   stream WAGEWIRE_EVENTS is 95 % full: wagewire provision apply --max-messages " +
			"WAGEWIRE_EVENTS=2000, if NATS has the memory (wagewire explain stream-full)",
	},
	"a stream is full of messages in some days": {
		func(s *health.State) {
			s.Streams[0].Messages = 700
			s.Streams[0].MessagesMax = 1000
			s.Streams[0].Oldest = ago(9 * 24 * time.Hour)
		},
		"WARN  stream WAGEWIRE_EVENTS is full in 3 days at the present rate: wagewire provision " +
			"apply --max-messages WAGEWIRE_EVENTS=2000, if NATS has the memory " +
			"(wagewire explain stream-filling)",
	},
	"the messages need most of the memory of NATS": {
		func(s *health.State) {
			s.Needed = 820 << 20
			s.NATSMemory = 1 << 30
		},
		"WARN  the messages that NATS keeps need 820MiB of its 1GiB of memory: give NATS more " +
			"memory, or keep fewer messages (wagewire explain broker-memory)",
	},
	"the messages have room in the memory of NATS": {
		func(s *health.State) {
			s.Needed = 800 << 20
			s.NATSMemory = 1 << 30
		}, "",
	},
	"nobody knows the memory of NATS": {
		func(s *health.State) { s.Needed = 1 << 40 }, "",
	},
	"a stream is full in some days": {
		func(s *health.State) {
			s.Streams[0].Bytes = 70_000
			s.Streams[0].Oldest = ago(9 * 24 * time.Hour)
		},
		"WARN  stream WAGEWIRE_EVENTS is full in 3 days at the present rate: wagewire provision " +
			"apply --max-bytes WAGEWIRE_EVENTS=195.3KiB (wagewire explain stream-filling)",
	},
	"messages are too old before the stream is full": {
		func(s *health.State) { s.Streams[0].Bytes = 80_000 }, "",
	},
	"a copy of a stream is away": {
		func(s *health.State) { s.Streams[0].Behind = []string{"nats-2"} },
		"BAD   stream WAGEWIRE_EVENTS has no full copy on nats-2: see the servers of NATS " +
			"(wagewire explain replica-behind)",
	},
	"the provider refuses our key for two queues": {
		func(s *health.State) {
			for i, since := range []time.Duration{time.Hour, 28 * time.Minute} {
				s.Queues[i].Name = []string{"pinwheel_income", "pinwheel_link"}[i]
				s.Queues[i].Refusal = &schema.Pause{
					Paused: true, Since: ago(since), Status: 401, Endpoint: "/v1/accounts/{id}",
				}
			}
		},
		"BAD   pinwheel refuses our API key since 21:30Z: 2 queues stand still (401 from " +
			"/v1/accounts/{id}): put a good key into the file of PINWHEEL_API_SECRET_FILE " +
			"(wagewire explain refused-credentials)",
	},
	"the provider refuses our key for one queue": {
		func(s *health.State) {
			s.Queues[0].Name = "pinwheel_income"
			s.Queues[0].Refusal = &schema.Pause{
				Paused: true, Since: ago(time.Hour), Status: 401, Endpoint: "/v1/accounts/{id}",
			}
		},
		"BAD   pinwheel refuses our API key since 21:30Z: 1 queue stands still (401 from " +
			"/v1/accounts/{id}): put a good key into the file of PINWHEEL_API_SECRET_FILE " +
			"(wagewire explain refused-credentials)",
	},
	"the provider fails most calls": {
		func(s *health.State) {
			s.Providers[1].Status = 503
			s.Providers[1].Endpoint = "/v1/links/{link_id}"
			s.Providers[1].Calls = schema.Recent{OK: 10, Failed: 10, LastFailed: ago(time.Second)}
		},
		"BAD   truv fails our calls: 10 failed and 10 succeeded within 5 min, last 503 from " +
			"/v1/links/{link_id}: nothing, the events wait and are tried again; see the status " +
			"page of truv (wagewire explain provider-failing)",
	},
	"the provider fails five calls in a row": {
		func(s *health.State) {
			s.Providers[1].Endpoint = "/v1/links/{link_id}"
			s.Providers[1].Calls = schema.Recent{
				OK: 100, Failed: 5, InARow: 5,
				Since: ago(time.Minute), LastFailed: ago(time.Second),
			}
		},
		"BAD   truv fails our calls since 22:29Z: 5 failed and 100 succeeded within 5 min, last " +
			"no answer from /v1/links/{link_id}: nothing, the events wait and are tried again; " +
			"see the status page of truv (wagewire explain provider-failing)",
	},
	"the provider fails four calls in a row": {
		func(s *health.State) {
			s.Providers[1].Calls = schema.Recent{Failed: 4, InARow: 4, LastFailed: ago(time.Second)}
		}, "",
	},
	"the provider fails every call, and the last was minutes ago": {
		func(s *health.State) {
			s.Providers[1].Endpoint = "/v1/links/{link_id}"
			s.Providers[1].Calls = schema.Recent{
				InARow: 5, Since: ago(time.Hour), LastFailed: ago(15 * time.Minute),
			}
		},
		"BAD   truv fails our calls since 21:30Z: 0 failed and 0 succeeded within 5 min, last " +
			"no answer from /v1/links/{link_id}: nothing, the events wait and are tried again; " +
			"see the status page of truv (wagewire explain provider-failing)",
	},
	"the provider failed every call, and the last was long ago": {
		func(s *health.State) {
			s.Providers[1].Calls = schema.Recent{
				InARow: 5, LastFailed: ago(15*time.Minute + time.Second),
			}
		}, "",
	},
	"the provider failed most calls until a minute ago": {
		func(s *health.State) {
			s.Providers[1].Calls = schema.Recent{OK: 1, Failed: 50, LastFailed: ago(time.Minute)}
		}, "",
	},
	"five webhooks have a signature of another secret": {
		func(s *health.State) {
			s.Providers[0].Signatures = schema.Recent{
				Failed: 5, InARow: 5, Since: ago(time.Hour), LastFailed: ago(15 * time.Minute),
			}
		},
		"BAD   5 webhooks of pinwheel in a row have a signature of another secret since 21:30Z: " +
			"put the secret of the provider's dashboard into the file of PINWHEEL_SECRETS_FILE " +
			"(wagewire explain signatures-failing)",
	},
	"four webhooks have a signature of another secret": {
		func(s *health.State) {
			s.Providers[0].Signatures = schema.Recent{
				InARow: 4, Since: ago(time.Hour), LastFailed: ago(time.Minute),
			}
		}, "",
	},
	"many forged requests come within 19 s": {
		func(s *health.State) {
			s.Providers[0].Signatures = schema.Recent{
				InARow: 500, Since: ago(20 * time.Second), LastFailed: ago(time.Second),
			}
		}, "",
	},
	"forged requests came until 16 minutes ago": {
		func(s *health.State) {
			s.Providers[0].Signatures = schema.Recent{
				InARow: 500, Since: ago(time.Hour), LastFailed: ago(16 * time.Minute),
			}
		}, "",
	},
	"two signed webhooks are from an hour ago": {
		func(s *health.State) {
			s.Providers[0].Dates = schema.Recent{InARow: 2, LastFailed: ago(time.Hour)}
			s.Providers[0].SkewS = 3600
		},
		"BAD   2 signed webhooks of pinwheel in a row are dated 60 min before our clock, and went " +
			"to quarantine: set the clock of this host (NTP) (wagewire explain clock-skew)",
	},
	"one signed webhook is from an hour ago": {
		func(s *health.State) {
			s.Providers[0].Dates = schema.Recent{InARow: 1, LastFailed: ago(time.Second)}
		}, "",
	},
	"signed webhooks of old dates came two hours ago": {
		func(s *health.State) {
			s.Providers[0].Dates = schema.Recent{InARow: 2, LastFailed: ago(2 * time.Hour)}
		}, "",
	},
	"a provider is silent for longer than usual": {
		func(s *health.State) {
			s.Providers[1].LastWebhook = ago(3 * time.Hour)
			s.Providers[1].Silence = &health.Silence{Usual: 37}
		},
		"BAD   truv has sent nothing since 19:30Z, when 37 webhooks or more came on each of the " +
			"last 7 days: wagewire doctor looks at the webhook's registration " +
			"(wagewire explain provider-silent)",
	},
	"a provider is silent for longer than the limit": {
		func(s *health.State) {
			s.Providers[1].LastWebhook = ago(30 * time.Hour)
			s.Providers[1].Silence = &health.Silence{Limit: 24 * time.Hour}
		},
		"BAD   truv has sent nothing since 2026-11-27 16:30Z, longer than 24 h: wagewire doctor " +
			"looks at the webhook's registration (wagewire explain provider-silent)",
	},
	"a hold is long": {
		func(s *health.State) {
			s.Budgets = []stream.BudgetStatus{{
				Provider: schema.Truv, At: at,
				Budget: schema.Budget{Hold: schema.BudgetHold{Until: at.Add(10 * time.Minute)}},
			}}
		},
		"NOTE  truv asked for no calls until 22:40Z: nothing, or wagewire budget reset truv " +
			"(wagewire explain provider-holds)",
	},
	"a hold is short": {
		func(s *health.State) {
			s.Budgets = []stream.BudgetStatus{{
				Provider: schema.Truv, At: at,
				Budget: schema.Budget{Hold: schema.BudgetHold{Until: at.Add(time.Minute)}},
			}}
		}, "",
	},
	"events are ready and nobody takes them": {
		func(s *health.State) {
			s.Queues[0].Ready = 3
			s.Queues[0].Oldest = ago(5*time.Minute + time.Second)
		},
		"BAD   queue pinwheel_income has 3 events ready since 22:24Z, and nobody finishes them: see " +
			"the log of its worker, or start more of them (wagewire explain events-unfinished)",
	},
	"events are ready for a while": {
		func(s *health.State) {
			s.Queues[0].Ready = 3
			s.Queues[0].Oldest = ago(5 * time.Minute)
		}, "",
	},
	"an event is in hand for long": {
		func(s *health.State) {
			s.Queues[0].InHand = 1
			s.Queues[0].Oldest = ago(time.Hour)
		}, "",
	},
	"events are ready while the provider wants no calls": {
		func(s *health.State) {
			s.Queues[0].Ready = 3
			s.Queues[0].Oldest = ago(10 * time.Minute)
			s.Budgets = []stream.BudgetStatus{{
				Provider: schema.Pinwheel, At: at,
				Budget: schema.Budget{Hold: schema.BudgetHold{Until: at.Add(time.Second)}},
			}}
		}, "",
	},
	"events are ready and no process of the worker is there": {
		func(s *health.State) {
			s.Queues[0].Ready = 1
			s.Queues[0].Oldest = ago(2*time.Minute + time.Second)
			s.Processes[1].Running = 0
			s.Processes[1].Seen = ago(time.Hour)
		},
		"BAD   queue pinwheel_income has 1 event ready since 22:27Z, and no process of income is " +
			"there: start it, and see its log (wagewire explain no-process)",
	},
	"events are ready for a moment, and no process of the worker is there": {
		func(s *health.State) {
			s.Queues[0].Ready = 1
			s.Queues[0].Oldest = ago(2 * time.Minute)
			s.Processes[1].Running = 0
			s.Processes[1].Seen = ago(time.Hour)
		}, "",
	},
	"no process of the role ever reported, as in an earlier release": {
		func(s *health.State) {
			s.Queues[0].Ready = 1
			s.Queues[0].Oldest = ago(3 * time.Minute)
			s.Processes = s.Processes[2:]
		}, "",
	},
	"the only ingress is replaced": {
		func(s *health.State) {
			s.Processes[0].Running = 0
			s.Processes[0].Seen = ago(30 * time.Second)
		}, "",
	},
	"no ingress is there, and nothing else": {
		func(s *health.State) {
			s.Processes = []health.RoleState{{Role: "ingress", Seen: ago(31 * time.Second)}}
		},
		"BAD   no process of ingress is there, so webhooks have no receiver: start it, and see " +
			"its log (wagewire explain no-process)",
	},
	"three processes of a role crash": {
		func(s *health.State) { s.Processes[1].Crashed = 3 },
		"BAD   3 processes of income ended without a stop within 15 min: see its log, and wagewire " +
			"status for an event in hand again and again (wagewire explain process-crashing)",
	},
	"two processes of a role crash": {
		func(s *health.State) { s.Processes[1].Crashed = 2 }, "",
	},
	"a queue is paused": {
		func(s *health.State) { s.Queues[0].PausedUntil = at.Add(time.Hour) },
		"NOTE  queue pinwheel_income is paused until 23:30Z: wagewire resume pinwheel_income " +
			"(wagewire explain queue-paused)",
	},
	"dead letters wait": {
		func(s *health.State) {
			s.DeadLetters = []health.DeadCount{{Count: 2}, {Count: 1}}
		},
		"WARN  3 dead letters to decide on: wagewire dead list " +
			"(wagewire explain dead-letters)",
	},
	"webhooks are in quarantine": {
		func(s *health.State) {
			s.Unread = []health.UnreadCount{{
				Provider: schema.Truv, Reason: schema.QuarantineJSON, Count: 1,
			}}
		},
		"WARN  quarantine has 1 webhook of truv (json): wagewire quarantine list " +
			"(wagewire explain quarantined)",
	},
	"deliveries ran out": {
		func(s *health.State) { s.Exhausted = 1 },
		"WARN  1 event had all deliveries within the last hour: wagewire dead list " +
			"(wagewire explain deliveries-ended)",
	},
	"a team loses completions in six days": {
		func(s *health.State) {
			s.Durables = []stream.Durable{{
				Team: "lending", Name: "lending", Pending: 12,
				Oldest: ago(15 * 24 * time.Hour), LostAt: at.Add(6 * 24 * time.Hour),
			}}
		},
		"BAD   durable lending has 12 completions unread, and the oldest is deleted at " +
			"2026-12-04 22:30Z: tell the team, or wagewire team remove it if nobody reads " +
			"(wagewire explain team-behind)",
	},
	"a team loses completions in eight days": {
		func(s *health.State) {
			s.Durables = []stream.Durable{{
				Name: "lending", Oldest: ago(13 * 24 * time.Hour), LostAt: at.Add(8 * 24 * time.Hour),
			}}
		}, "",
	},
	"completions are kept for three days, and a team has read none of today": {
		func(s *health.State) {
			s.Durables = []stream.Durable{{
				Name: "lending", Oldest: ago(24 * time.Hour), LostAt: at.Add(2 * 24 * time.Hour),
			}}
		}, "",
	},
}

func TestFindings(t *testing.T) {
	for name, test := range findings {
		t.Run(name, func(t *testing.T) {
			state := well()
			test.change(&state)
			var lines []string
			for _, f := range state.Findings() {
				lines = append(lines, f.String())
			}
			if got := strings.Join(lines, "\n"); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestEveryKindOfFindingHasARow(t *testing.T) {
	for _, kind := range health.Kinds() {
		tells := "(wagewire explain " + string(kind.Name) + ")"
		found := false
		for _, test := range findings {
			found = found || strings.HasSuffix(test.want, tells)
		}
		if !found {
			t.Errorf("no row of findings ends with %s", tells)
		}
		if kind.Means == "" || kind.Severity == "" {
			t.Errorf("%s: %+v", kind.Name, kind)
		}
	}
}

func TestTheVerdictIsTheMostUrgentFinding(t *testing.T) {
	tests := map[string]struct {
		change func(*health.State)
		want   health.Verdict
	}{
		"all is well": {
			func(*health.State) {},
			health.Verdict{health.Well, "OK    no event is unfinished; no dead letters"},
		},
		"all is well, and events wait": {
			func(s *health.State) {
				s.Queues[0].Oldest = ago(14 * time.Second)
				s.Queues[1].Waiting = 212
				s.Queues[1].WaitingByClass = []stream.WaitingCount{
					{Count: 200, Next: at.Add(time.Hour)},
					{Count: 12, Next: at.Add(11 * time.Minute)},
				}
			},
			health.Verdict{health.Well, "OK    oldest unfinished event 14 s; 212 wait for truv, " +
				"the first until 22:41Z; no dead letters"},
		},
		"a note is no verdict": {
			func(s *health.State) { s.Queues[0].PausedUntil = at.Add(time.Hour) },
			health.Verdict{health.Well, "OK    no event is unfinished; no dead letters"},
		},
		"bad comes before warnings": {
			func(s *health.State) {
				s.Exhausted = 1
				s.Processes[1].Crashed = 3
			},
			health.Verdict{health.Bad, findings["three processes of a role crash"].want},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state := well()
			test.change(&state)
			if got := state.Judge(state.Findings()); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestKindsAreInTheOrderOfTheirSeverity(t *testing.T) {
	order := []health.Severity{health.Bad, health.Warn, health.Note}
	last := 0
	for _, kind := range health.Kinds() {
		place := slices.Index(order, kind.Severity)
		if place < last {
			t.Errorf("%s (%s) comes after less urgent kinds", kind.Name, kind.Severity)
		}
		last = place
	}
}
