package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var errDatabase = errors.New("the database is down")

// left is what the durable has left.
func (i *installation) left(t testing.TB) uint64 {
	t.Helper()
	durables, err := stream.NewOperator(i.Conn).Durables(t.Context())
	must(t, err)
	for _, d := range durables {
		if d.Name == lending {
			return d.Lag()
		}
	}
	t.Fatal("the durable is not there")
	return 0
}

// send stores a message on a subject as it is.
func (i *installation) send(t testing.TB, subject, body string) {
	t.Helper()
	var options []nats.Option
	if i.bubble != nil {
		options = append(options, nats.SetCustomDialer(i.bubble))
	}
	nc, err := nats.Connect(i.config.URL, options...)
	must(t, err)
	defer nc.Close()
	answer, err := nc.Request(subject, []byte(body), time.Minute)
	must(t, err)
	if !strings.Contains(string(answer.Data), `"seq"`) {
		t.Fatalf("the message is not stored: %s", answer.Data)
	}
}

// sleep lets the virtual time pass.
func sleep(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // it moves the clock of the bubble
	synctest.Wait()
}

// notes returns what the program has noted so far, in its order.
func (p *program) notes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.noted)
}

func (p *program) expect(t testing.TB, what string, want ...string) {
	t.Helper()
	got := p.notes()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestATeamWithItsKeyReadsItsCompletions(t *testing.T) {
	t.Parallel()
	i := serve(t)
	large := `{"id":"p-1","text":"` + strings.Repeat("x", schema.CompletionBytesMax) + `"}`
	i.complete(t, "a-1", "e-1", `{"id":"p-0","gross":123456789012345678901234567890}`)
	i.complete(t, "a-1", "e-2", large, `{"gross":1234567890.12345678901234567890,"id":"p-2"}`)
	i.erase(t, "l-1", "e-3")
	p := newProgram()
	stop := subscribe(t, i.connect(t), client.Subscription{}, p)
	p.wait(t, 3)
	must(t, stop())
	p.expect(t, "the program",
		"remove e-3", `store e-1 {"id":"p-0","gross":123456789012345678901234567890}`,
		"store e-2 "+large+` {"gross":1234567890.12345678901234567890,"id":"p-2"}`)
	if left := i.left(t); left != 0 {
		t.Errorf("%d completions are left", left)
	}
}

func TestAWrongTeamIsAClearErrorAtTheStart(t *testing.T) {
	t.Parallel()
	i := serve(t)
	c := i.connect(t)
	for _, durable := range []string{"other", "nobody"} {
		err := c.Subscribe(t.Context(), client.Subscription{Durable: durable}, newProgram())
		if !errors.Is(err, client.ErrNoDurable) || !strings.Contains(err.Error(), "team add") {
			t.Errorf("durable %s: %v", durable, err)
		}
	}
}

func TestASubscriptionIsCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	c := serve(t).connect(t)
	for promise, row := range map[string]struct {
		subscription client.Subscription
		handler      client.Handler
		want         string
	}{
		"a durable has a plain name": {client.Subscription{Durable: "a.>"}, newProgram(),
			"not the name of a durable"},
		"hands are not negative": {client.Subscription{Hands: -1}, newProgram(), "want 1 to 100"},
		"hands are few":          {client.Subscription{Hands: 101}, newProgram(), "want 1 to 100"},
		"attempts are positive":  {client.Subscription{AttemptsMax: -1}, newProgram(), "want 1"},
		"a resource is one of the contract": {client.Subscription{
			Resources: []schema.Resource{schema.Income, "paystub"},
		}, newProgram(), `has "paystub": the resources are ["employment" "identity" "income" "paystubs"`},
		"there is a handler": {client.Subscription{}, nil, "no function"},
		"deletions are not forgotten": {client.Subscription{},
			client.Funcs{OnStore: newProgram().OnStore}, "none to remove"},
	} {
		err := c.Subscribe(t.Context(), row.subscription, row.handler)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", promise, err, row.want)
		}
	}
}

func TestTheFilterIsTheKitsOwn(t *testing.T) {
	t.Parallel()
	const odd = "account with spaces"
	for promise, row := range map[string]struct {
		filter client.Subscription
		want   []string
	}{
		"without a filter everything comes": {client.Subscription{},
			[]string{"store paystub", "store odd", "store income", "store link", "remove deletion"}},
		"a resource": {client.Subscription{Resources: []schema.Resource{schema.Income}},
			[]string{"store income", "remove deletion"}},
		"links, if they are named": {client.Subscription{
			Resources: []schema.Resource{schema.Link, schema.Income},
		}, []string{"store income", "store link", "remove deletion"}},
		"an account by the provider's id": {client.Subscription{Accounts: []string{odd}},
			[]string{"store odd", "remove deletion"}},
		"both": {client.Subscription{
			Resources: []schema.Resource{schema.Income}, Accounts: []string{odd},
		}, []string{"remove deletion"}},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			i.complete(t, "a-1", "paystub")
			i.complete(t, odd, "odd")
			i.publish(t, schema.Event{
				Provider: schema.Pinwheel, ID: "income", Type: "income.added",
				Resource: schema.Income, Action: schema.ActionAdded, AccountID: "a-1",
				OccurredAt: at, ReceivedAt: at,
			}, schema.Income, schema.Succeeded)
			i.publish(t, schema.Event{
				Provider: schema.Truv, ID: "link", Type: "link-connected", Resource: schema.Link,
				Action: schema.ActionConnected, AccountID: "l-1", OccurredAt: at, ReceivedAt: at,
			}, schema.Link, schema.Succeeded)
			i.erase(t, "l-2", "deletion")
			p := newProgram()
			must(t, i.connect(t).CatchUp(t.Context(), row.filter, p))
			p.expect(t, "the program", row.want...)
			if left := i.left(t); left != 0 {
				t.Errorf("%d completions are left", left)
			}
		})
	}
}

// The numbers of bank accounts are for those who named them, whatever the filter of a program.
func TestATeamThatNamedNoBankAccountsGetsNone(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "paystub")
	for _, e := range []schema.Event{
		{Provider: schema.Truv, ID: "truv", Type: "bank-accounts-created",
			Resource: "bank_accounts", Action: schema.ActionCreated, AccountID: "l-1"},
		{Provider: schema.Pinwheel, ID: "pinwheel", Type: "direct_deposit_allocations.added",
			Resource: "direct_deposit_allocations", Action: schema.ActionAdded, AccountID: "a-1"},
	} {
		e.OccurredAt = at
		e.ReceivedAt = at
		i.publish(t, e, schema.BankAccounts, schema.Succeeded, `{"account_number":"0000000001"}`)
	}
	p := newProgram()
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
	p.expect(t, "a program without a filter", "store paystub")

	i.complete(t, "a-1", "paystub-2")
	p = newProgram()
	asks := client.Subscription{Resources: []schema.Resource{schema.BankAccounts, schema.Paystubs}}
	err := i.connect(t).CatchUp(t.Context(), asks, p)
	const want = "durable lending does not deliver bank_accounts: the operator grants it with " +
		"`wagewire team add lending --resources income,paystubs,bank_accounts`"
	if err == nil || err.Error() != want {
		t.Errorf("a program that asks for them: %v, want %s", err, want)
	}
	p.expect(t, "a program that asks for them")
	if left := i.left(t); left != 1 {
		t.Errorf("%d completions are left", left)
	}
}

func TestAResourceThatTheDurableDoesNotDeliverIsAnErrorAtTheStart(t *testing.T) {
	t.Parallel()
	for promise, row := range map[string]struct {
		filters   []string
		resources []schema.Resource
		want      string
	}{
		"what is granted is no error, at one provider or at all": {
			[]string{"wagewire.completions.truv.income.>", "wagewire.completions.*.shifts.>"},
			[]schema.Resource{schema.Income, schema.Shifts}, ""},
		"a durable of another tool may have wildcards": {
			[]string{"wagewire.completions.*.*.a-1.>"}, []schema.Resource{schema.Income}, ""},
		"a wildcard may be the end": {
			[]string{"wagewire.completions.truv.>"}, []schema.Resource{schema.Income}, ""},
		"a durable may have no filter": {nil, []schema.Resource{schema.Income}, ""},
		"a program without resources takes what comes": {
			[]string{"wagewire.completions.truv.income.>"}, nil, ""},
		"each lacking resource is named once, behind what is granted; links come anyway": {
			[]string{
				"wagewire.completions.pinwheel.income.>", "wagewire.completions.truv.income.>",
				"wagewire.completions.truv.link.>",
			},
			[]schema.Resource{schema.Shifts, schema.Income, schema.BankAccounts, schema.Shifts},
			"durable small_2 does not deliver shifts, bank_accounts: the operator grants it with " +
				"`wagewire team add small --resources income,shifts,bank_accounts`"},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			got := ""
			err := client.CheckGrant("small", "small_2", row.filters, row.resources)
			if err != nil {
				got = err.Error()
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestWhatTheFilterLeavesOutIsCountedInTheLog(t *testing.T) {
	t.Parallel()
	const line = `level=INFO msg="the filter has left out completions since the start" ` +
		"durable=lending completions="
	for promise, row := range map[string]struct {
		outside int
		want    []string
	}{
		"nothing is outside":         {0, nil},
		"at the end":                 {2, []string{line + "2"}},
		"at each 1,000, and the end": {1001, []string{line + "1000", line + "1001"}},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			i.complete(t, "a-1", "inside")
			for n := range row.outside {
				i.complete(t, "a-2", fmt.Sprintf("e-%d", n))
			}
			i.erase(t, "a-2", "deletion")
			var log lines
			i.config.Log = slog.New(slog.NewTextHandler(&log, nil))
			p := newProgram()
			must(t, i.connect(t).CatchUp(t.Context(),
				client.Subscription{Accounts: []string{"a-1"}}, p))
			p.expect(t, "the program", "store inside", "remove deletion")
			got := log.with("left out")
			if len(got) != len(row.want) {
				t.Fatalf("lines %q", got)
			}
			for n, want := range row.want {
				if !strings.HasSuffix(got[n], want+"\n") {
					t.Errorf("line %q, want %q", got[n], want)
				}
			}
		})
	}
}

func TestWhatThisReleaseDoesNotKnowIsKept(t *testing.T) {
	t.Parallel()
	i := serve(t)
	const body = `{"id":"pinwheel:e-1:paystubs","later":{"digits":123456789012345678901234567890},` +
		`"subject":"a-1","data":{"provider":"pinwheel","resource":"paystubs","outcome":"postponed",` +
		`"scope":"half","records":[{"id":"p-1","n":1.10}],"event":{"id":"e-1"}}}`
	i.send(t, "wagewire.completions.pinwheel.paystubs.a-1.e-1", body)
	var raw string
	p := newProgram()
	store := p.OnStore
	p.OnStore = func(ctx context.Context, c *client.Completion) error {
		raw = string(c.Raw)
		return store(ctx, c)
	}
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
	p.expect(t, "the program", `store e-1 {"id":"p-1","n":1.10}`)
	if raw != body {
		t.Errorf("raw is %s", raw)
	}
}

func TestAFieldOfALaterReleaseIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	for promise, row := range map[string]struct{ text, want string }{
		"an outcome in other letters": {`{"id":"c-1","subject":"a-1","ID":"other","data":{` +
			`"outcome":"succeeded","Outcome":"deleted","OUTCOME":7,"records":[{"ID":1.10}],` +
			`"event":{"id":"e-1","Id":"e-2"},"records_Ref":{}}}`, `store e-1 {"ID":1.10}`},
		"a letter that folds to k or s": {`{"id":"c-1","data":{"outcome":"succeeded",` +
			`"record\u017f":[1],"event":{"id":"e-1"}}}`, "store e-1"},
		"an object without a known name": {` {"id":"c-1","Data":7,"data":{"event":{"id":"e-1",` +
			`"later":{"A":[{"B":{}}],"b":{}},"Later":{"outcome":1}},"outcome":"deleted"} } `,
			"remove e-1"},
		"an escaped name is the name": {`{"\u0069d":"c-1","X":0,"data":{"o\u0075tcome":"deleted",` +
			`"event":{"id":"e-1"}}}`, "remove e-1"},
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			i.send(t, paystubsSubject+"e-1", row.text)
			p := newProgram()
			var raw string
			for _, f := range []*func(context.Context, *client.Completion) error{
				&p.OnStore, &p.OnRemove,
			} {
				note := *f
				*f = func(ctx context.Context, c *client.Completion) error {
					raw = string(c.Raw)
					if c.ID != "c-1" {
						t.Errorf("id %s", c.ID)
					}
					return note(ctx, c)
				}
			}
			var aside shelf
			must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{Aside: aside.keep}, p))
			p.expect(t, "the program", row.want)
			if raw != row.text {
				t.Errorf("raw is %s", raw)
			}
		})
	}
}

func TestAProgramThatWasAwayFor20DaysGoesOnWhereItStopped(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		i.complete(t, "a-1", "e-1")
		p := newProgram()
		c := i.connect(t)
		must(t, c.CatchUp(t.Context(), client.Subscription{}, p))
		p.expect(t, "before", "store e-1")
		c.Close()
		for day := range 20 {
			i.complete(t, "a-1", fmt.Sprintf("day-%d", day))
			sleep(24 * time.Hour)
		}
		late := newProgram()
		must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, late))
		var want []string
		for day := range 20 {
			want = append(want, fmt.Sprintf("store day-%d", day))
		}
		late.expect(t, "after 20 days", want...)
	})
}

func TestPausesGrowUpTo10Minutes(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		i.complete(t, "a-1", "e-1")
		var deliveries []time.Time
		p := newProgram()
		p.OnStore = func(context.Context, *client.Completion) error {
			deliveries = append(deliveries, time.Now())
			if len(deliveries) < 13 {
				return errDatabase
			}
			return nil
		}
		must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
		var pauses []time.Duration
		for n := 1; n < len(deliveries); n++ {
			pauses = append(pauses, deliveries[n].Sub(deliveries[n-1]).Round(time.Second))
		}
		const s = time.Second
		want := []time.Duration{
			s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 512 * s,
			10 * time.Minute, 10 * time.Minute,
		}
		if diff := cmp.Diff(want, pauses); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestWhatAHandlerHoldsForLongIsNotDeliveredAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		i.complete(t, "a-1", "e-1")
		i.complete(t, "a-1", "e-2") // it waits for the first one
		var deliveries []uint64
		p := newProgram()
		p.OnStore = func(_ context.Context, c *client.Completion) error {
			deliveries = append(deliveries, c.Deliveries)
			sleep(10 * time.Minute)
			return nil
		}
		must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
		if !slices.Equal(deliveries, []uint64{1, 1}) {
			t.Errorf("deliveries %d", deliveries)
		}
	})
}

func TestOneAccountComesOneAfterTheOtherAndOthersAtTheSameTime(t *testing.T) {
	t.Parallel()
	i := serve(t)
	for n := range 3 {
		i.complete(t, "a-1", fmt.Sprintf("e-1-%d", n))
	}
	i.complete(t, "a-2", "e-2")
	first := make(chan struct{})
	second := make(chan struct{})
	var atWork atomic.Int32
	p := newProgram()
	p.OnStore = func(_ context.Context, c *client.Completion) error {
		if c.Subject == "a-2" {
			close(second)
			<-first
			return nil
		}
		if atWork.Add(1) > 1 {
			t.Error("two completions of an account are in work")
		}
		<-second // so both accounts are in work at the same time
		atWork.Add(-1)
		if c.Data.Event.ID == "e-1-0" {
			close(first)
		}
		return nil
	}
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
}

func TestAStopEndsTheWorkInHandAndGivesTheRestBackAtOnce(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	i.complete(t, "a-1", "e-2")
	c := i.connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := newProgram()
	store := p.OnStore
	p.OnStore = func(ctx context.Context, completion *client.Completion) error {
		cancel() // as a signal does
		if ctx.Err() != nil {
			t.Error("the context of the handler has ended")
		}
		return store(ctx, completion)
	}
	must(t, c.Subscribe(ctx, client.Subscription{}, p))
	noted := p.notes()
	if len(noted) != 1 || i.left(t) != 1 {
		t.Fatalf("noted %q, and %d are left", noted, i.left(t))
	}
	i.complete(t, "a-1", "e-3") // the broker must not give it to the requests that ended
	next := newProgram()
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, next))
	got := slices.Concat(noted, next.notes())
	slices.Sort(got)
	if want := []string{"store e-1", "store e-2", "store e-3"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestWhatAStopGivesBackComesWithoutAPause(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		i.complete(t, "a-1", "e-1")
		i.complete(t, "a-1", "e-2")
		c := i.connect(t)
		ctx, cancel := context.WithCancel(t.Context())
		p := newProgram()
		store := p.OnStore
		p.OnStore = func(ctx context.Context, completion *client.Completion) error {
			sleep(time.Second) // the other hand has the other completion now
			cancel()
			return store(ctx, completion)
		}
		must(t, c.Subscribe(ctx, client.Subscription{}, p))
		begin := time.Now()
		i.complete(t, "a-2", "e-3")
		next := newProgram()
		must(t, c.CatchUp(t.Context(), client.Subscription{}, next))
		if took := time.Since(begin); took > 2*time.Second || len(next.notes()) != 2 {
			t.Errorf("%q came after %s", next.notes(), took)
		}
	})
}

func TestWhatAStopGivesBackDoesNotWaitForAHandlerAtWork(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		for n := range 4 {
			i.complete(t, "a-1", fmt.Sprintf("e-%d", n)) // three hands wait for the first one
		}
		ctx, cancel := context.WithCancel(t.Context())
		slow := newProgram()
		note := slow.OnStore
		slow.OnStore = func(ctx context.Context, c *client.Completion) error {
			<-time.After(5 * time.Minute)
			return note(ctx, c)
		}
		c := i.connect(t)
		ended := make(chan error, 1)
		go func() { ended <- c.Subscribe(ctx, client.Subscription{}, slow) }()
		next := newProgram()
		sleep(10 * time.Second)
		cancel()
		stop := subscribe(t, i.connect(t), client.Subscription{}, next)
		sleep(5 * time.Second)
		if got := next.notes(); len(got) != 3 {
			t.Errorf("the next program got %q", got)
		}
		must(t, <-ended)
		must(t, stop())
		all := slices.Concat(slow.notes(), next.notes())
		slices.Sort(all)
		want := []string{"store e-0", "store e-1", "store e-2", "store e-3"}
		if !slices.Equal(all, want) {
			t.Errorf("both got %q", all)
		}
	})
}

func TestAProgramKilledWithOneInHandLosesNothing(t *testing.T) {
	for _, row := range []struct {
		promise string
		// finish ends the work of a killed handler.
		finish func(ended <-chan struct{})
	}{
		{"before it is stored", func(ended <-chan struct{}) { <-ended }},
		{"after it is stored, before the broker knows", func(<-chan struct{}) {}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				i.complete(t, "a-1", "e-1")
				line := streamtest.NewLine(i.bubble)
				config := i.config
				config.Dialer = line
				killed, err := client.Connect(t.Context(), config)
				must(t, err)
				taken := make(chan struct{})
				ended := make(chan struct{})
				p := newProgram()
				p.OnStore = func(context.Context, *client.Completion) error {
					line.Kill()
					close(taken)
					row.finish(ended)
					return nil
				}
				stop := subscribe(t, killed, client.Subscription{}, p)
				<-taken
				begin := time.Now()
				next := newProgram()
				must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, next))
				next.expect(t, "the next program", "store e-1")
				if took := time.Since(begin); took > 2*time.Minute {
					t.Errorf("it came after %s", took)
				}
				close(ended)
				killed.Close()
				_ = stop()
			})
		})
	}
}

func TestAProgramGoesOnAfterTheBrokerWasAway(t *testing.T) {
	for _, row := range []struct {
		promise string
		hands   int
		away    time.Duration
	}{
		{"for some hours", client.HandsDefault, 3 * time.Hour},
		{"for some hours, with many hands", client.HandsMax, 3 * time.Hour},
		{"over a long weekend", client.HandsDefault, 80 * time.Hour},
	} {
		t.Run(row.promise, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				var deliveries []uint64
				p := newProgram()
				note := p.OnStore
				p.OnStore = func(ctx context.Context, c *client.Completion) error {
					deliveries = append(deliveries, c.Deliveries)
					return note(ctx, c)
				}
				stop := subscribe(t, i.connect(t), client.Subscription{Hands: row.hands}, p)
				i.complete(t, "a-1", "e-1")
				sleep(time.Minute) // the broker confirms
				i.bubble.Stop()
				sleep(row.away)
				must(t, i.bubble.Start())
				sleep(5 * time.Second) // the operator connects again too
				want := []string{"store e-1"}
				for n := range 8 {
					i.complete(t, "a-1", fmt.Sprintf("after-%d", n))
					want = append(want, fmt.Sprintf("store after-%d", n))
				}
				sleep(5 * time.Minute)
				must(t, stop())
				p.expect(t, "the program", want...)
				if !slices.Equal(deliveries, slices.Repeat([]uint64{1}, len(want))) {
					t.Errorf("deliveries %d: a completion went to a request of before", deliveries)
				}
			})
		})
	}
}

func TestAProgramStopsWithoutAnErrorWhileTheBrokerIsAway(t *testing.T) {
	for n := range 16 {
		after := time.Duration(n) * 2 * time.Second
		t.Run(fmt.Sprintf("after %s", after), func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				stop := subscribe(t, i.connect(t), client.Subscription{Hands: 1}, newProgram())
				sleep(time.Minute)
				i.bubble.Stop()
				sleep(after)
				begin := time.Now()
				must(t, stop())
				if took := time.Since(begin); took > 30*time.Second {
					t.Errorf("the stop took %s", took)
				}
				must(t, i.bubble.Start())
			})
		})
	}
}

func TestAClosedClientEndsTheProgramWhileTheBrokerIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		c := i.connect(t)
		ended := make(chan error, 1)
		go func() { ended <- c.Subscribe(t.Context(), client.Subscription{}, newProgram()) }()
		sleep(time.Minute)
		i.bubble.Stop()
		sleep(time.Hour)
		c.Close()
		if err := <-ended; !errors.Is(err, nats.ErrConnectionClosed) {
			t.Errorf("got %v", err)
		}
		must(t, i.bubble.Start())
	})
}

func TestTwoProgramsOnADurableShareItsCompletions(t *testing.T) {
	t.Parallel()
	i := serve(t)
	const n = 40
	var want []string
	for event := range n {
		i.complete(t, fmt.Sprintf("a-%d", event%7), fmt.Sprintf("e-%02d", event))
		want = append(want, fmt.Sprintf("store e-%02d", event))
	}
	p := newProgram()
	var both sync.WaitGroup
	for range 2 {
		c := i.connect(t)
		both.Go(func() {
			if err := c.CatchUp(t.Context(), client.Subscription{}, p); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	p.expect(t, "both programs", want...)
}

func TestADurableThatIsRemovedEndsTheProgramWithAnError(t *testing.T) {
	remove := func(t *testing.T, i *installation) {
		must(t, stream.NewOperator(i.Conn).DeleteDurable(t.Context(), lending))
	}
	for _, row := range []struct {
		promise string
		remove  func(*testing.T, *installation, *streamtest.Line)
	}{
		{"while the program waits", func(t *testing.T, i *installation, _ *streamtest.Line) {
			remove(t, i)
		}},
		{"while the program is cut off", func(t *testing.T, i *installation, l *streamtest.Line) {
			l.Cut()
			remove(t, i)
		}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				line := streamtest.NewLine(i.bubble)
				i.config.Dialer = line
				c := i.connect(t)
				ended := make(chan error, 1)
				go func() {
					ended <- c.Subscribe(t.Context(), client.Subscription{}, newProgram())
				}()
				synctest.Wait()
				row.remove(t, i, line)
				if err := <-ended; !errors.Is(err, client.ErrNoDurable) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestAHandlerThatEndsItsGoroutineIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		i.complete(t, "a-1", "e-1")
		p := newProgram()
		p.OnStore = func(context.Context, *client.Completion) error {
			runtime.Goexit()
			return nil
		}
		c := i.connect(t)
		err := c.Subscribe(t.Context(), client.Subscription{}, p)
		if err == nil || !strings.Contains(err.Error(), "did not return") {
			t.Errorf("got %v", err)
		}
		next := newProgram()
		must(t, c.CatchUp(t.Context(), client.Subscription{}, next))
		next.expect(t, "the next program", "store e-1")
	})
}

func TestACloseEndsASubscribeWithAnError(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	c := i.connect(t)
	p := newProgram()
	ended := make(chan error, 1)
	go func() { ended <- c.Subscribe(t.Context(), client.Subscription{}, p) }()
	p.wait(t, 1)
	c.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, nats.ErrConnectionClosed) {
			t.Errorf("got %v", err)
		}
	case <-streamtest.Late(t):
		t.Fatal("it does not end")
	}
}

func TestCatchUpEndsWithItsContext(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	ctx, cancel := context.WithCancel(t.Context())
	p := newProgram()
	p.OnStore = func(context.Context, *client.Completion) error {
		cancel()
		return errDatabase
	}
	err := i.connect(t).CatchUp(ctx, client.Subscription{}, p)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWhatAProgramAcknowledgedWithoutStoringComesOnlyToANewDurable(t *testing.T) {
	t.Parallel()
	i := serve(t)
	begin := time.Now()
	i.complete(t, "a-1", "e-1")
	forgetful := client.Funcs{
		OnStore:  func(context.Context, *client.Completion) error { return nil },
		OnRemove: func(context.Context, *client.Completion) error { return nil },
	}
	c := i.connect(t)
	must(t, c.CatchUp(t.Context(), client.Subscription{}, forgetful))
	p := newProgram()
	must(t, c.CatchUp(t.Context(), client.Subscription{}, p))
	p.expect(t, "the same durable")

	team := i.team
	team.Durables = []string{again}
	must(t, i.plan(t.Context(), team, stream.Reading{Since: begin.Add(-time.Minute)}))
	must(t, c.CatchUp(t.Context(), client.Subscription{Durable: again}, p))
	p.expect(t, "a new durable", "store e-1")
}
