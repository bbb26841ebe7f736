package doctor

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func TestClocksMayDifferByALittle(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		promise string
		theirs  time.Duration
		took    time.Duration
		step    time.Duration
		want    Verdict
		text    string
	}{
		{"the same time", 0, 0, 0, OK, "differs from ours by less than 30s"},
		{"a slow answer is no difference", 0, time.Minute, 0, OK, "differs from ours by less than 30s"},
		{"half a minute behind us", -30 * time.Second, 0, 0, OK, "differs from ours by less than 30s"},
		{"more than that behind us", -31 * time.Second, 0, 0, Bad, "our clock is 31s ahead"},
		{"a clock in steps may be a step late", -31 * time.Second, 0, time.Second, OK,
			"differs from ours by less than 30s"},
		{"an hour before us", time.Hour, 0, 0, Bad, "our clock is 1h0m0s behind"},
	} {
		t.Run(test.promise, func(t *testing.T) {
			got := judgeClock("x", now.Add(test.theirs), now, now.Add(test.took), test.step)
			if got.Verdict != test.want || got.Text != test.text {
				t.Errorf("got %+v, want %s: %s", got, test.want, test.text)
			}
		})
	}
}

func TestOnlyLimitsMayDiffer(t *testing.T) {
	limit := stream.Field{Name: "max_bytes", Have: "1", Want: "2"}
	subjects := stream.Field{Name: "subjects", Have: "a", Want: "b"}
	for _, test := range []struct {
		promise string
		changes []stream.Change
		err     error
		want    Verdict
		text    string
	}{
		{"no difference", nil, nil, OK, "as they must be"},
		{"a limit of one's own", []stream.Change{{What: "stream A", Fields: []stream.Field{limit}}},
			nil, OK, "as they must be; 1 stream with limits of your own"},
		{"a limit that cannot be the default",
			[]stream.Change{{What: "stream A", Fields: []stream.Field{limit}, Refused: "too full"}},
			nil, OK, "as they must be; 1 stream with limits of your own"},
		{"another setting", []stream.Change{
			{What: "stream A", Fields: []stream.Field{limit, subjects}},
			{What: "stream B", Create: true, Fields: []stream.Field{limit}},
		}, nil, Bad, "2 differences: stream A, stream B"},
		{"a change that is refused",
			[]stream.Change{{What: "stream A", Fields: []stream.Field{subjects}, Refused: "no"}},
			nil, Bad, "refused: stream A (no)"},
		{"many differences have a short line", []stream.Change{
			{What: "a", Create: true}, {What: "b", Create: true}, {What: "c", Create: true},
			{What: "d", Create: true}, {What: "e", Create: true},
		}, nil, Bad, "5 differences: a, b, c and 2 more"},
		{"no answer", nil, stream.ErrOldServer, Bad, stream.ErrOldServer.Error()},
	} {
		t.Run(test.promise, func(t *testing.T) {
			got := judgePlan(test.changes, test.err)
			if got.Verdict != test.want || got.Text != test.text {
				t.Errorf("got %+v, want %s: %s", got, test.want, test.text)
			}
		})
	}
}

func TestTheKeyIsTheOperatorsIfSomebodyAnswers(t *testing.T) {
	if c, mayAsk := judgeKey(nil); c.Verdict != OK || !mayAsk {
		t.Errorf("got %+v", c)
	}
	if c, mayAsk := judgeKey(nats.ErrNoResponders); c.Verdict != Bad || mayAsk {
		t.Errorf("got %+v", c)
	}
}

func TestTheAddressOfAProvider(t *testing.T) {
	for base, want := range map[string]string{
		"https://a.example.com":           "https://a.example.com/webhooks/truv",
		"https://a.example.com/":          "https://a.example.com/webhooks/truv",
		"https://a.example.com/webhooks":  "https://a.example.com/webhooks/truv",
		"https://a.example.com/webhooks/": "https://a.example.com/webhooks/truv",
		"https://a.example.com/x/hooks":   "https://a.example.com/x/hooks/truv",
		"":                                "",
	} {
		if got := AddressOf(base, schema.Truv); got != want {
			t.Errorf("%q: got %q, want %q", base, got, want)
		}
	}
}
