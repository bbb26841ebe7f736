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
	e := paystubs("e-1", "a-1")
	publish(t, c, e)
	again := paystubs("e-1", "a-1")
	again.Body = append(again.Body, ' ')
	for _, test := range []struct {
		promise string
		event   schema.Event
		n       int
		stored  bool
	}{
		{"the memory of its id does not eat the first", e, 1, true},
		{"the same again is stored before", e, 1, false},
		{"another body finds the name taken", again, 1, false},
		{"the second has a name of its own", e, 2, true},
	} {
		t.Run(test.promise, func(t *testing.T) {
			stored, err := stream.NewOperator(c).Redrive(t.Context(), test.event, "pinwheel_paystubs", test.n)
			if stored != test.stored || err != nil {
				t.Errorf("stored %t, %v; want %t", stored, err, test.stored)
			}
		})
	}
	m, there, err := stream.NewOperator(c).Message(t.Context(), schema.EventsStream, 3)
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
