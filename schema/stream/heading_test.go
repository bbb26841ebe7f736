package stream_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

func TestAHeadingSaysAllButTheBody(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	e := paystubs("an id: \"100 %\"", "a.1")
	publish(t, c, e)
	_, err := operator(c).Redrive(t.Context(), e, "pinwheel_paystubs", 2)
	must(t, err)
	var got []stream.Heading
	must(t, operator(c).Headings(t.Context(), stream.Selection{}, func(h stream.Heading) error {
		got = append(got, h)
		return nil
	}))
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	for i, redrive := range []int{0, 2} {
		want := e
		want.AccountID = ""
		want.Body = nil
		want.Redrive = redrive
		if redrive > 0 {
			want.Queue = "pinwheel_paystubs"
		}
		h := got[i]
		if diff := cmp.Diff(want, h.Event); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if h.Account != e.Account() || h.BodyBytes != len(e.Body) || len(h.BodySHA256) != 64 ||
			h.Sequence != uint64(i+1) || h.Subject != e.Subject() || h.At.IsZero() {
			t.Errorf("got %+v", h)
		}
	}
}
