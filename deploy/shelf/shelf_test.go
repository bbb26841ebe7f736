package shelf_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var failedAt = time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

// bench is a broker with every stream, and an operator.
type bench struct {
	*testing.T
	op *stream.Operator
}

func newBench(t *testing.T) bench {
	t.Helper()
	_, conn := streamtest.New(t)
	return bench{t, stream.NewOperator(conn)}
}

func (b bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// event is a webhook that the queue of income reads.
func (b bench) event(id, account string) schema.Event {
	b.Helper()
	body := fmt.Sprintf(`{"event":"income.added","event_id":%q,"payload":{"account_id":%q}}`,
		id, account)
	e, err := webhook.Parse(webhook.Received{
		Provider: schema.Pinwheel, Body: []byte(body), At: failedAt.Add(-time.Minute),
	})
	b.must(err)
	return e
}

// publish stores the event, and returns its dead letter of a queue.
func (b bench) publish(e schema.Event, queue string, class schema.Class) schema.DeadLetter {
	b.Helper()
	_, err := b.op.PublishEvent(b.Context(), e)
	b.must(err)
	extent, err := b.op.ExtentOf(b.Context(), schema.EventsStream)
	b.must(err)
	m, exists, err := b.op.Message(b.Context(), schema.EventsStream, extent.Last)
	b.must(err)
	if !exists {
		b.Fatalf("event %d is gone", extent.Last)
	}
	return schema.DeadLetter{
		Queue: queue, Account: e.Account(), Class: class, Reason: schema.ReasonLadderEnded,
		Attempts: 7, Sequence: m.Sequence, At: failedAt, Headers: m.Header, Body: m.Body,
	}
}

// die stores dead letters of one event each, numbered from 1, of the accounts in turn.
func (b bench) die(n int, queue string, accounts ...string) {
	b.Helper()
	for i := range n {
		e := b.event(fmt.Sprintf("%s-%d", queue, i), accounts[i%len(accounts)])
		b.must(b.op.PublishDeadLetter(b.Context(), b.publish(e, queue, schema.ClassTransient)))
	}
}

// letter reads a dead letter.
func (b bench) letter(number uint64) stream.Letter {
	b.Helper()
	m, exists, err := b.op.Message(b.Context(), schema.DeadLettersStream, number)
	b.must(err)
	if !exists {
		b.Fatalf("dead letter %d is gone", number)
	}
	return stream.ReadLetter(m)
}

func numbersOf(letters []stream.Letter) []uint64 {
	var numbers []uint64
	for _, l := range letters {
		numbers = append(numbers, l.Number)
	}
	return numbers
}

func TestAScanLooksAtWhatTheSearchSays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.die(4, "pinwheel_income", "a-1", "a-2", "h_person") // 1 to 4
	b.die(2, "pinwheel_paystubs", "a-1")                  // 5 and 6
	for promise, test := range map[string]struct {
		filter shelf.LetterFilter
		search shelf.Search
		want   []uint64
		seen   shelf.Seen
	}{
		"everything without limits": {
			shelf.LetterFilter{}, shelf.Search{}, []uint64{1, 2, 3, 4, 5, 6},
			shelf.Seen{Looked: 6, Matched: 6, Last: 6},
		},
		"only at the queue of the filter": {
			shelf.LetterFilter{Queue: "pinwheel_paystubs"}, shelf.Search{}, []uint64{5, 6},
			shelf.Seen{Looked: 2, Matched: 2, Last: 6},
		},
		"only at the account of the filter": {
			shelf.LetterFilter{Account: "a-2"}, shelf.Search{}, []uint64{2},
			shelf.Seen{Looked: 1, Matched: 1, Last: 2},
		},
		"at an account by the token of its id": {
			shelf.LetterFilter{Account: schema.Token("h_person")}, shelf.Search{}, []uint64{3},
			shelf.Seen{Looked: 1, Matched: 1, Last: 3},
		},
		"at no account for a text that is no token": {
			shelf.LetterFilter{Account: "*"}, shelf.Search{}, nil, shelf.Seen{},
		},
		"from a number to before another": {
			shelf.LetterFilter{}, shelf.Search{From: 2, Before: 4}, []uint64{2, 3},
			shelf.Seen{Looked: 2, Matched: 2, Last: 3},
		},
		"at so many and no more, and it says so": {
			shelf.LetterFilter{Account: "a-1"}, shelf.Search{From: 2, LookMax: 2},
			[]uint64{4, 5}, shelf.Seen{Looked: 2, Matched: 2, Last: 5, IsCut: true},
		},
		"for so many and no more, and it says so": {
			shelf.LetterFilter{Class: schema.ClassTransient}, shelf.Search{MatchMax: 1},
			[]uint64{1}, shelf.Seen{Looked: 1, Matched: 1, Last: 1, IsCut: true},
		},
		"at all if the limit is what there is": {
			shelf.LetterFilter{}, shelf.Search{From: 5, LookMax: 2, MatchMax: 2},
			[]uint64{5, 6}, shelf.Seen{Looked: 2, Matched: 2, Last: 6},
		},
		"at messages that the filter does not choose": {
			shelf.LetterFilter{Class: schema.ClassPoison}, shelf.Search{}, nil,
			shelf.Seen{Looked: 6, Last: 6},
		},
	} {
		var got []uint64
		progress := 0
		test.search.Progress = func(looked int) { progress = looked }
		seen, err := shelf.Scan(t.Context(), b.op, shelf.Letters(), test.filter, test.search,
			func(l stream.Letter) error {
				got = append(got, l.Number)
				return nil
			})
		b.must(err)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", promise, diff)
		}
		if diff := cmp.Diff(test.seen, seen); diff != "" {
			t.Errorf("%s: seen (-want +got):\n%s", promise, diff)
		}
		if progress != seen.Looked {
			t.Errorf("%s: the last progress is %d of %d", promise, progress, seen.Looked)
		}
	}
}

func TestARedriveOfAnAbsurdNumberStays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.event("e-1", "a-1")
	e.Redrive = math.MaxInt
	letter := b.publish(e, "pinwheel_income", schema.ClassTransient)
	b.must(b.op.PublishDeadLetter(b.Context(), letter))
	last := b.letter(1)
	if last.Event.Redrive != math.MaxInt {
		t.Fatalf("the letter is redrive %d", last.Event.Redrive)
	}
	redriver, err := shelf.NewRedriver(t.Context(), b.op, []stream.Letter{last})
	b.must(err)
	outcome, err := redriver.Send(t.Context(), last)
	b.must(err)
	if outcome.Result != shelf.Kept || !strings.Contains(outcome.Obstacle, "no other can follow") {
		t.Errorf("the outcome is %+v", outcome)
	}
}

func TestAScanOfTheNewestBeginsAtTheEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.die(6, "pinwheel_income", "a-1", "a-2") // 1 to 6
	b.die(2, "pinwheel_paystubs", "a-1")      // 7 and 8
	for promise, test := range map[string]struct {
		filter  shelf.LetterFilter
		lookMax int
		want    []uint64
		looked  int
		isAll   bool
	}{
		"all, if there are no more": {
			shelf.LetterFilter{Queue: "pinwheel_income"}, 6, []uint64{3, 4, 5, 6, 1, 2}, 6, true,
		},
		"the newest of all": {shelf.LetterFilter{}, 3, []uint64{6, 7, 8}, 3, false},
		"the newest of a queue": {
			shelf.LetterFilter{Queue: "pinwheel_income"}, 2, []uint64{5, 6}, 2, false,
		},
		"the newest of an account": {
			shelf.LetterFilter{Account: "a-2"}, 1, []uint64{6}, 1, false,
		},
		"none of a queue without any": {
			shelf.LetterFilter{Queue: "truv_link"}, 100, nil, 0, true,
		},
	} {
		var got []uint64
		looked, isAll, err := shelf.ScanNewest(t.Context(), b.op, shelf.Letters(), test.filter,
			test.lookMax, func(l stream.Letter) error {
				got = append(got, l.Number)
				return nil
			})
		b.must(err)
		if diff := cmp.Diff(test.want, got); diff != "" || looked != test.looked ||
			isAll != test.isAll {
			t.Errorf("%s: looked at %d, all %t (-want +got):\n%s", promise, looked, isAll, diff)
		}
	}
}

func TestAScanEndsWithTheErrorOfItsCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.die(2, "pinwheel_income", "a-1")
	broken := errors.New("broken")
	_, err := shelf.Scan(t.Context(), b.op, shelf.Letters(), shelf.LetterFilter{}, shelf.Search{},
		func(stream.Letter) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}

func TestPagesHaveEveryLetterOnceInBothDirections(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.die(23, "pinwheel_income", "a-1", "a-2")
	for _, number := range []uint64{1, 7, 8, 23} {
		b.must(b.op.Discard(t.Context(), schema.DeadLettersStream, number))
	}
	for promise, filter := range map[string]shelf.LetterFilter{
		"of all":        {},
		"of a queue":    {Queue: "pinwheel_income"},
		"of an account": {Account: "a-2"},
		"of a class":    {Class: schema.ClassTransient},
		"of none":       {Class: schema.ClassPoison},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			var want []uint64
			_, err := shelf.Scan(t.Context(), b.op, shelf.Letters(), filter, shelf.Search{},
				func(l stream.Letter) error {
					want = append(want, l.Number)
					return nil
				})
			b.must(err)
			kind := shelf.Letters()
			size := shelf.PageSize{Rows: 5, LookMax: 100}
			var newer []uint64
			after := uint64(0)
			for {
				page, err := shelf.ReadNewer(t.Context(), b.op, kind, filter, after, size)
				b.must(err)
				numbers := numbersOf(page.Messages)
				slices.Reverse(numbers)
				newer = append(newer, numbers...)
				if page.Newer == 0 {
					break
				}
				after = page.Newer
			}
			var older []uint64
			before := uint64(0)
			for {
				page, err := shelf.ReadOlder(t.Context(), b.op, kind, filter, before, size)
				b.must(err)
				if len(page.Messages) > size.Rows || page.Stored != 19 {
					t.Errorf("a page of %d, with %d stored", len(page.Messages), page.Stored)
				}
				older = append(older, numbersOf(page.Messages)...)
				if page.Older == 0 {
					break
				}
				before = page.Older
			}
			slices.Reverse(older)
			if diff := cmp.Diff(want, newer); diff != "" {
				t.Errorf("forward (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, older); diff != "" {
				t.Errorf("backward (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPageEndsWhereItHasLookedEnough(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.die(600, "pinwheel_income", "a-1")
	none := shelf.LetterFilter{Class: schema.ClassPoison}
	size := shelf.PageSize{Rows: 5, LookMax: 300}
	page, err := shelf.ReadOlder(t.Context(), b.op, shelf.Letters(), none, 0, size)
	b.must(err)
	if page.Looked < 300 || page.Looked > 600 || page.Older == 0 || page.Stored != 600 {
		t.Errorf("looked at %d of %d, on from %d", page.Looked, page.Stored, page.Older)
	}
	page, err = shelf.ReadNewer(t.Context(), b.op, shelf.Letters(), none, 0, size)
	b.must(err)
	if page.Looked != 300 || page.Newer != 300 {
		t.Errorf("looked at %d, on from %d", page.Looked, page.Newer)
	}
	seen := map[uint64]bool{}
	size = shelf.PageSize{Rows: 70, LookMax: 80}
	for before := uint64(0); ; before = page.Older {
		page, err = shelf.ReadOlder(t.Context(), b.op, shelf.Letters(), shelf.LetterFilter{},
			before, size)
		b.must(err)
		for _, number := range numbersOf(page.Messages) {
			if seen[number] {
				t.Errorf("letter %d is on two pages", number)
			}
			seen[number] = true
		}
		if page.Older == 0 {
			break
		}
	}
	if len(seen) != 600 {
		t.Errorf("%d letters are on pages", len(seen))
	}
}

// Another operator's redrive may be stored, completed and still on the shelf for a moment.
func TestTwoOperatorsSendALetterOnce(t *testing.T) {
	t.Parallel()
	for promise, meanwhile := range map[string]func(context.Context, bench, schema.Event) error{
		"the redrive of the other is stored": func(
			ctx context.Context, b bench, e schema.Event,
		) error {
			_, err := b.op.Redrive(ctx, e, "pinwheel_income", 1)
			return err
		},
		"the redrive of the other is stored and completed": func(
			ctx context.Context, b bench, e schema.Event,
		) error {
			_, err := b.op.Redrive(ctx, e, "pinwheel_income", 1)
			if err != nil {
				return err
			}
			e.Redrive = 1
			_, err = b.op.PublishCompletion(ctx, e,
				schema.NewCompletion(e, schema.Income, schema.Failed, failedAt))
			return err
		},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			e := b.event("e-1", "a-1")
			b.must(b.op.PublishDeadLetter(t.Context(),
				b.publish(e, "pinwheel_income", schema.ClassTransient)))
			l := b.letter(1)
			r, err := shelf.NewRedriver(t.Context(), b.op, []stream.Letter{l})
			b.must(err)
			b.must(meanwhile(t.Context(), b, e))
			got, err := r.Send(t.Context(), l)
			b.must(err)
			want := shelf.Outcome{
				Result: shelf.SentBefore, Key: "pinwheel:e-1:r1", Type: "income.added", Redrive: 1,
				Queue: "pinwheel_income",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			events, err := b.op.CountMessages(t.Context(), schema.EventsStream)
			b.must(err)
			if events != 2 {
				t.Errorf("%d events are stored", events)
			}
		})
	}
}
