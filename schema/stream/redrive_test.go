package stream_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestARedriveIsStoredOnceUnderEachName(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	c.BePatient()
	e := paystubs("e-1", "a-1")
	publish(t, c, e)
	changed := paystubs("e-1", "a-1")
	changed.Body = append(changed.Body, ' ')
	for _, test := range []struct {
		promise string
		event   schema.Event
		n       int
		stored  bool
	}{
		{"the first redrive is stored, though its event was stored before", e, 1, true},
		{"the first redrive is stored once", e, 1, false},
		{"the first redrive with another body is not stored", changed, 1, false},
		{"the second redrive is stored", e, 2, true},
	} {
		t.Run(test.promise, func(t *testing.T) {
			stored, err := operator(c).Redrive(
				t.Context(), test.event, "pinwheel_paystubs", test.n,
			)
			if stored != test.stored || err != nil {
				t.Errorf("stored %t, %v; want %t", stored, err, test.stored)
			}
		})
	}
	m, there, err := operator(c).Message(t.Context(), schema.EventsStream, 3)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	got, err := stream.DecodeEvent(m)
	want := e
	want.Redrive, want.Queue = 2, "pinwheel_paystubs"
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
