package stream_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestCompletionsAreFoundByTheEventAlone(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	c.BePatient()
	e := paystubs("e-1", "a-1")
	redriven := paystubs("e-1", "a-1")
	other := paystubs("e-2", "a-1")
	redriven.Redrive = 1
	income := schema.NewCompletion(e, schema.Income, schema.Succeeded, received)
	for _, of := range []struct {
		schema.Event
		schema.Completion
	}{
		{e, succeeded(e)}, {e, income}, {redriven, succeeded(redriven)}, {other, succeeded(other)},
	} {
		if !complete(t, c, of.Event, of.Completion) {
			t.Fatalf("completion %s is not stored", of.Completion.ID)
		}
	}
	for _, test := range []struct {
		event schema.Event
		want  []string
	}{
		{
			schema.Event{Provider: schema.Pinwheel, ID: "e-1"},
			[]string{"pinwheel:e-1:paystubs", "pinwheel:e-1:income"},
		},
		{
			schema.Event{Provider: schema.Pinwheel, ID: "e-1", Redrive: 1},
			[]string{"pinwheel:e-1:r1:paystubs"},
		},
		{schema.Event{Provider: schema.Truv, ID: "e-1"}, nil},
	} {
		var got []string
		completions, err := operator(c).CompletionsOf(t.Context(), test.event, "")
		must(t, err)
		for _, c := range completions {
			got = append(got, c.ID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.event.Key(), diff)
		}
	}
}

func TestEndingsReadsTheBrokersReports(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	publish(t, c, paystubs("e-1", "a-1"), paystubs("e-2", "a-1"))
	deliveriesMax(t, s, "pinwheel_paystubs", 1)
	jobs, _, _ := hold(t, c, queueOf(schema.Paystubs), 1)
	j := next(t, "a delivery", jobs)
	must(t, j.Never(schema.ReasonPanic))
	j.release()
	j = next(t, "a delivery", jobs)
	must(t, j.GiveBack())
	j.release()
	var got []stream.Ended
	streamtest.Eventually(t, "both reports are there", func() bool {
		got = nil
		must(t, operator(c).Endings(t.Context(), func(e stream.Ended) error {
			got = append(got, e)
			return nil
		}))
		return len(got) == 2
	})
	for i := range got {
		if got[i].At.IsZero() {
			t.Errorf("got %+v", got[i])
		}
		got[i].At = time.Time{}
	}
	want := []stream.Ended{
		{
			Queue: "pinwheel_paystubs", Stream: schema.EventsStream, Sequence: 1, Deliveries: 1,
			Reason: "panic",
		},
		{
			Queue: "pinwheel_paystubs", Stream: schema.EventsStream, Sequence: 2, Deliveries: 1,
			Exhausted: true,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
