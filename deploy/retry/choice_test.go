package retry

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

var since = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// wait is an event that waits in the income queue.
func wait(class schema.Class, began time.Time) stream.Waiting {
	return stream.Waiting{
		Wait:  schema.Wait{Class: class, Since: began, Until: began.Add(time.Hour)},
		Queue: "pinwheel_income", Account: schema.Token("a.1"),
		Event: schema.Event{Provider: schema.Pinwheel, ID: "e-1", ReceivedAt: began},
	}
}

func TestAnEventMustMatchEachFieldThatIsSet(t *testing.T) {
	for promise, test := range map[string]struct {
		choice Choice
		want   bool
	}{
		"the zero value chooses all":  {Choice{}, true},
		"its queue":                   {Choice{Queues: []string{"truv_link", "pinwheel_income"}}, true},
		"another queue":               {Choice{Queues: []string{"truv_link"}}, false},
		"its event":                   {Choice{Events: []trace.Name{trace.ParseName("e-1")}}, true},
		"another event":               {Choice{Events: []trace.Name{trace.ParseName("e-2")}}, false},
		"its class":                   {Choice{Class: schema.ClassTransient}, true},
		"another class":               {Choice{Class: schema.ClassForbidden}, false},
		"its account's id":            {Choice{Account: "a.1"}, true},
		"its account's token":         {Choice{Account: schema.Token("a.1")}, true},
		"another account":             {Choice{Account: "a-1"}, false},
		"its class, of another queue": {Choice{Class: schema.ClassTransient, Queues: []string{"truv_link"}}, false},
	} {
		if got := test.choice.Matches(wait(schema.ClassTransient, since)); got != test.want {
			t.Errorf("%s: %t", promise, got)
		}
	}
}

func TestCountsAreByQueueAndClass(t *testing.T) {
	later := since.Add(time.Minute)
	other := wait(schema.ClassTransient, since)
	other.Queue = "a_queue"
	got := Counts([]stream.Waiting{
		wait(schema.ClassTransient, later), wait(schema.ClassForbidden, since),
		wait(schema.ClassTransient, since), other,
	})
	want := []Count{
		{"a_queue", stream.WaitingCount{
			Class: schema.ClassTransient, Count: 1, Oldest: since, Next: since.Add(time.Hour),
			Last: since.Add(time.Hour),
		}},
		{"pinwheel_income", stream.WaitingCount{
			Class: schema.ClassForbidden, Count: 1, Oldest: since, Next: since.Add(time.Hour),
			Last: since.Add(time.Hour),
		}},
		{"pinwheel_income", stream.WaitingCount{
			Class: schema.ClassTransient, Count: 2, Oldest: since, Next: since.Add(time.Hour),
			Last: later.Add(time.Hour),
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
