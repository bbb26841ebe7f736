package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
)

// pay panics. Its arguments are an id of nine digits and an amount.
//
//go:noinline
func pay(id, amount int) { panic(fmt.Sprint(id, amount)) }

func TestTheReasonOfAPanicHasItsPlaceAndNoArguments(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	p := newProgram()
	p.OnStore = func(context.Context, *client.Completion) error {
		pay(0x75bcd15, 0x5e30a78)
		return nil
	}
	var aside shelf
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{Aside: aside.keep}, p))
	if len(aside.kept) != 1 {
		t.Fatalf("aside: %q", aside.reasons())
	}
	reason := aside.kept[0].Reason
	if !strings.Contains(reason, "client_test.pay\n") || !strings.Contains(reason, "aside_test.go:") {
		t.Errorf("it does not say where: %s", reason)
	}
	if strings.Contains(reason, "75bcd15") || strings.Contains(reason, "0x") {
		t.Errorf("it has arguments: %s", reason)
	}
}

// shelf keeps what is set aside.
type shelf struct {
	mu   sync.Mutex
	kept []client.Poisoned
}

func (s *shelf) keep(_ context.Context, p client.Poisoned) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, p)
	return nil
}

// reasons returns the first line of each reason.
func (s *shelf) reasons() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reasons []string
	for _, p := range s.kept {
		reason, _, _ := strings.Cut(p.Reason, "\n")
		reasons = append(reasons, reason)
	}
	return reasons
}

const paystubsSubject = "wagewire.completions.pinwheel.paystubs.a-1."

func TestPoisonIsSetAsideAtTheFirstDeliveryAndOthersGoOn(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	store := func(action func()) func(context.Context, *client.Completion) error {
		return func(_ context.Context, c *client.Completion) error {
			if c.Data.Event.ID == "bad" {
				action()
			}
			return nil
		}
	}
	for _, row := range []struct {
		promise string
		body    string
		store   func(context.Context, *client.Completion) error
		reason  string
	}{
		{"bytes that are no JSON", "\x00{", store(func() {}), "the message: not JSON"},
		{"no bytes", "", store(func() {}), "the message: not JSON"},
		{"JSON that is no completion", `{"id":7}`, store(func() {}),
			"the message is not a completion"},
		{"a completion without an outcome", `{"id":"x","data":{}}`, store(func() {}),
			"the message has no id or no outcome"},
		{"100,000 levels", `{"id":"x","data":{"outcome":"succeeded","records":` + deep + `}}`,
			store(func() {}), "the message: nested too deeply"},
		{"a completion that panics the handler",
			`{"id":"x","data":{"outcome":"succeeded","event":{"id":"bad"}}}`,
			store(func() { panic("Jane Doe") }), "the handler panicked with a string:"},
		{"a completion that the handler calls poison",
			`{"id":"x","data":{"outcome":"succeeded","event":{"id":"bad"}}}`,
			func(_ context.Context, c *client.Completion) error {
				if c.Data.Event.ID != "bad" {
					return nil
				}
				return fmt.Errorf("store: %w", client.Poison(errors.New("it has no employer")))
			}, "it has no employer"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			i.send(t, paystubsSubject+"bad", row.body)
			i.complete(t, "a-1", "good")
			p := newProgram()
			note := p.OnStore
			p.OnStore = func(ctx context.Context, c *client.Completion) error {
				if err := row.store(ctx, c); err != nil {
					return err
				}
				return note(ctx, c)
			}
			var aside shelf
			must(t, i.connect(t).CatchUp(t.Context(),
				client.Subscription{Hands: 1, Aside: aside.keep}, p))
			p.expect(t, "the program", "store good")
			if got := aside.reasons(); !slices.Equal(got, []string{row.reason}) {
				t.Fatalf("reasons %q, want %q", got, row.reason)
			}
			kept := aside.kept[0]
			if string(kept.Raw) != row.body || kept.Stream != schema.CompletionsStream ||
				kept.Sequence != 1 || strings.Contains(kept.Reason, "Jane") {
				t.Errorf("kept %d bytes of %s %d: %s", len(kept.Raw), kept.Stream, kept.Sequence,
					kept.Reason)
			}
			if left := i.left(t); left != 0 {
				t.Errorf("%d completions are left", left)
			}
		})
	}
}

func TestWhatFailsForEverIsSetAsideAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		for n := range 30 {
			i.complete(t, fmt.Sprintf("a-%d", n%5), fmt.Sprintf("e-%02d", n))
		}
		const attemptsMax = 12
		var attempts atomic.Uint64
		p := newProgram()
		note := p.OnStore
		p.OnStore = func(ctx context.Context, c *client.Completion) error {
			if id := c.Data.Event.ID; id == "e-07" {
				attempts.Store(c.Deliveries)
				return fmt.Errorf("store %s of Jane Doe: %w", id, errDatabase)
			}
			return note(ctx, c)
		}
		var aside shelf
		stop := subscribe(t, i.connect(t), client.Subscription{
			Aside: aside.keep, AttemptsMax: attemptsMax,
		}, p)
		sleep(12 * time.Minute) // between the last attempt but two and the last but one
		i.complete(t, "a-1", "e-30")
		sleep(8 * time.Minute) // between the last attempt but one and the last
		i.complete(t, "a-1", "e-31")
		sleep(time.Hour)
		must(t, stop())
		if len(p.notes()) != 31 || attempts.Load() != attemptsMax {
			t.Errorf("%d are stored after %d attempts", len(p.notes()), attempts.Load())
		}
		want := []string{
			"12 deliveries: the handler returned an error of type *errors.errorString, and took others",
		}
		if got := aside.reasons(); !slices.Equal(got, want) {
			t.Errorf("reasons %q", got)
		}
	})
}

func TestOnlyWhatFailsWhileOthersGoWellIsSetAside(t *testing.T) {
	const fails = 8
	nothing := func(*testing.T, *installation, *atomic.Int32, *shelf) {}
	for _, row := range []struct {
		promise string
		// meanwhile happens after 3 hours, in which everything failed.
		meanwhile func(*testing.T, *installation, *atomic.Int32, *shelf)
		// before stores one that is taken, before each later failure of e-5.
		before func(t *testing.T, i *installation, n uint64)
		want   int
	}{
		{"nothing, while the handler takes what needs no database",
			func(t *testing.T, i *installation, _ *atomic.Int32, _ *shelf) {
				i.publish(t, paystubsOf("x", "p-1"), schema.Paystubs, schema.Pending)
			}, nil, 0},
		{"nothing, when the database comes back for one call",
			func(_ *testing.T, _ *installation, calls *atomic.Int32, _ *shelf) {
				calls.Store(1)
			}, nil, 0},
		{"nothing, after another one was taken once",
			func(t *testing.T, i *installation, _ *atomic.Int32, _ *shelf) {
				i.complete(t, "good", "good")
			}, nil, 0},
		{"nothing, after a deletion was taken once",
			func(t *testing.T, i *installation, _ *atomic.Int32, _ *shelf) { i.erase(t, "good", "good") },
			nil, 0},
		{"what fails behind another one that was taken, again and again", nothing,
			func(t *testing.T, i *installation, n uint64) {
				i.complete(t, "good", fmt.Sprintf("good-%d", n))
			}, 1},
		{"what fails behind a deletion that was taken, again and again", nothing,
			func(t *testing.T, i *installation, n uint64) {
				i.erase(t, fmt.Sprintf("good-%d", n), fmt.Sprintf("good-%d", n))
			}, 1},
		{"everything in the end, while others are taken again and again",
			func(t *testing.T, i *installation, _ *atomic.Int32, aside *shelf) {
				// The order of those that fail at the same moment is the broker's.
				for n := 0; len(aside.reasons()) < fails; n++ {
					i.complete(t, "good", fmt.Sprintf("good-%d", n))
					sleep(10 * time.Minute)
				}
			}, nil, fails},
	} {
		t.Run(row.promise, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				for n := range fails {
					i.complete(t, fmt.Sprintf("a-%d", n), fmt.Sprintf("e-%d", n))
					sleep(time.Second) // so the pauses do not end at the same moment
				}
				var calls atomic.Int32 // the calls that the database takes
				var isLater atomic.Bool
				h := func(_ context.Context, c *client.Completion) error {
					isGood := strings.HasPrefix(c.Data.Event.ID, "good")
					if isGood || c.Data.Outcome == schema.Pending || calls.Add(-1) >= 0 {
						return nil
					}
					if row.before != nil && isLater.Load() && c.Data.Event.ID == "e-5" {
						row.before(t, i, c.Deliveries)
						<-time.After(100 * time.Millisecond) // another hand takes it
					}
					return errDatabase
				}
				var aside shelf
				stop := subscribe(t, i.connect(t), client.Subscription{Aside: aside.keep},
					client.Funcs{OnStore: h, OnRemove: h})
				sleep(3 * time.Hour)
				isLater.Store(true)
				row.meanwhile(t, i, &calls, &aside)
				sleep(45 * time.Minute)
				must(t, stop())
				if got := aside.reasons(); len(got) != row.want {
					t.Errorf("aside: %q, want %d", got, row.want)
				}
			})
		})
	}
}

func TestADeletionComesUntilItIsTaken(t *testing.T) {
	for promise, err := range map[string]error{
		"an error of the handler":    errDatabase,
		"an error about the records": fmt.Errorf("erase: %w", client.ErrRecordsGone),
		"an error marked as poison":  client.Poison(errDatabase),
	} {
		t.Run(promise, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				i.erase(t, "a-1", "deletion")
				const attemptsMax = 3
				p := newProgram()
				remove := p.OnRemove
				p.OnRemove = func(ctx context.Context, c *client.Completion) error {
					if c.Deliveries > 2*attemptsMax {
						return remove(ctx, c)
					}
					i.complete(t, "a-2", fmt.Sprintf("good-%d", c.Deliveries))
					<-p.came
					<-time.After(time.Millisecond) // the kit has noted it now
					return err
				}
				var aside shelf
				must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{
					Aside: aside.keep, AttemptsMax: attemptsMax,
				}, p))
				if got := p.notes(); len(aside.kept) > 0 || got[len(got)-1] != "remove deletion" {
					t.Errorf("noted %q, and set aside %q", got, aside.reasons())
				}
			})
		})
	}
}

func TestWhatIsAsideOfADeletedAccountIsNotStored(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	i.complete(t, "a-2", "e-2")
	i.erase(t, "a-1", "e-3")
	dir := filepath.Join(t.TempDir(), "aside")
	refuse := func(context.Context, *client.Completion) error {
		return client.Poison(errors.New("not today"))
	}
	c := i.connect(t)
	p := newProgram()
	must(t, c.CatchUp(t.Context(), client.Subscription{Aside: client.AsideDir(dir)},
		client.Funcs{OnStore: refuse, OnRemove: p.OnRemove}))
	i.state(t, "a-1", schema.AccountDeleted)
	i.state(t, "a-2", schema.AccountReady)
	must(t, c.RetryAside(t.Context(), dir, p))
	p.expect(t, "the program", "remove e-3", "store e-2")
	expectFiles(t, dir, nil, 0)
}

// state stores the state of an account at Pinwheel.
func (i *installation) state(t *testing.T, account string, status schema.AccountStatus) {
	t.Helper()
	body := fmt.Sprintf(`{"data":{"provider":"pinwheel","account_id":%q,"status":%q}}`, account, status)
	i.send(t, schema.AccountSubject(schema.Pinwheel, account), body)
}

func TestADatabaseThatIsDownSetsNothingAside(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		var want []string
		for n := range 10 {
			i.complete(t, fmt.Sprintf("a-%d", n), fmt.Sprintf("e-%d", n))
			want = append(want, fmt.Sprintf("store e-%d", n))
		}
		const attemptsMax = 5
		upAt := time.Now().Add(10 * time.Minute)
		var attempts atomic.Uint64
		p := newProgram()
		note := p.OnStore
		p.OnStore = func(ctx context.Context, c *client.Completion) error {
			if time.Now().Before(upAt) {
				return errDatabase
			}
			attempts.Store(c.Deliveries)
			return note(ctx, c)
		}
		var aside shelf
		must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{
			Aside: aside.keep, AttemptsMax: attemptsMax,
		}, p))
		p.expect(t, "after the database came back", want...)
		if len(aside.kept) > 0 || attempts.Load() <= attemptsMax {
			t.Errorf("%d are aside after %d deliveries", len(aside.kept), attempts.Load())
		}
	})
}

func TestADurableThatStandsStillIsLoggedOnceAMinute(t *testing.T) {
	const places = 6
	for _, row := range []struct {
		promise string
		fails   int
		want    int
	}{
		{"each place is taken", places, 6},
		{"a place is left", places - 1, 0},
	} {
		t.Run(row.promise, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				i.setPlaces(t, places)
				for n := range row.fails {
					i.complete(t, "bad", fmt.Sprintf("bad-%d", n))
				}
				i.complete(t, "good", "good")
				var log lines
				i.config.Log = slog.New(slog.NewTextHandler(&log, nil))
				p := newProgram()
				note := p.OnStore
				p.OnStore = func(ctx context.Context, c *client.Completion) error {
					if c.Subject == "bad" {
						return errDatabase
					}
					return note(ctx, c)
				}
				stop := subscribe(t, i.connect(t), client.Subscription{}, p)
				sleep(30 * time.Minute) // deliveries after 63 s, 127 s … 1023 s, 1623 s
				must(t, stop())
				got := log.with("level=ERROR msg=\"the durable stands still")
				if len(got) != row.want {
					t.Fatalf("%d lines, want %d", len(got), row.want)
				}
				if row.want > 0 && !strings.Contains(got[0], "durable=lending completions=6") {
					t.Errorf("line %s", got[0])
				}
				if isGood := len(p.notes()) == 1; isGood != (row.want == 0) {
					t.Errorf("noted %q", p.notes())
				}
			})
		})
	}
}

func TestTheTextOfAnErrorOfAsideIsNotLogged(t *testing.T) {
	t.Parallel()
	i := serve(t)
	var log lines
	i.config.Log = slog.New(slog.NewTextHandler(&log, nil))
	i.send(t, paystubsSubject+"bad", "{")
	ctx, cancel := context.WithCancel(t.Context())
	refuse := func(context.Context, client.Poisoned) error {
		cancel()
		return fmt.Errorf("insert of Jane Doe: %w", errDatabase)
	}
	must(t, i.connect(t).Subscribe(ctx, client.Subscription{Hands: 1, Aside: refuse}, newProgram()))
	if len(log.with("Jane")) > 0 || len(log.with("cannot be set aside")) != 1 {
		t.Errorf("log %q", log.with(""))
	}
}

func TestWithoutAsideNothingIsTerminated(t *testing.T) {
	for _, row := range []struct {
		promise string
		aside   func(context.Context, client.Poisoned) error
	}{
		{"nobody says where", nil},
		{"the place has no room", func(context.Context, client.Poisoned) error {
			return errors.New("no space left on device")
		}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *installation) {
				i.send(t, paystubsSubject+"bad", "{")
				begin := time.Now()
				i.complete(t, "a-1", "good")
				p := newProgram()
				s := client.Subscription{Aside: row.aside}
				stop := subscribe(t, i.connect(t), s, p)
				sleep(time.Hour)
				must(t, stop())
				p.expect(t, "the program", "store good")
				if left := i.left(t); left != 1 {
					t.Errorf("%d are left", left)
				}
				var aside shelf
				s.Aside = aside.keep
				must(t, i.connect(t).CatchUp(t.Context(), s, p))
				if took := time.Since(begin); len(aside.kept) != 1 || took < 70*time.Minute {
					t.Errorf("%d are aside after %s", len(aside.kept), took)
				}
				synctest.Wait()
			})
		})
	}
}

func TestADirectoryKeepsPoisonUntilItIsTaken(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1", `{"id":"p-1","n":1.10}`)
	i.complete(t, "a-2", "e-2")
	i.send(t, paystubsSubject+"bad", "{")
	dir := filepath.Join(t.TempDir(), "aside")
	refuse := func(context.Context, *client.Completion) error {
		return client.Poison(errors.New("not today"))
	}
	c := i.connect(t)
	must(t, c.CatchUp(t.Context(), client.Subscription{Aside: client.AsideDir(dir)},
		client.Funcs{OnStore: refuse, OnRemove: refuse}))

	expectFiles(t, dir, map[string]string{
		"WAGEWIRE_COMPLETIONS-1.why.txt": "not today\n",
		"WAGEWIRE_COMPLETIONS-2.why.txt": "not today\n",
		"WAGEWIRE_COMPLETIONS-3.json":    "{",
		"WAGEWIRE_COMPLETIONS-3.why.txt": "the message: not JSON\n",
	}, 6)
	p := newProgram()
	store := p.OnStore
	p.OnStore = func(ctx context.Context, c *client.Completion) error {
		if c.Data.Event.ID == "e-2" {
			return errDatabase
		}
		return store(ctx, c)
	}
	err := c.RetryAside(t.Context(), dir, p)
	if !errors.Is(err, errDatabase) || !strings.Contains(err.Error(), "COMPLETIONS-3.json stays") ||
		strings.Contains(err.Error(), "COMPLETIONS-1") {
		t.Errorf("got %v", err)
	}
	p.expect(t, "at first", `store e-1 {"id":"p-1","n":1.10}`)
	p.OnStore = store
	if err := c.RetryAside(t.Context(), dir, p); err == nil {
		t.Error("what is no completion was taken")
	}
	p.expect(t, "then", `store e-1 {"id":"p-1","n":1.10}`, "store e-2")
	expectFiles(t, dir, map[string]string{"WAGEWIRE_COMPLETIONS-3.json": "{"}, 2)
	must(t, c.RetryAside(t.Context(), filepath.Join(dir, "nowhere"), p))
}

// expectFiles compares the files of a directory, which has n files in all.
func expectFiles(t *testing.T, dir string, want map[string]string, n int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != n {
		t.Errorf("%d files, want %d", len(entries), n)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		must(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %s", entry.Name(), info.Mode())
		}
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if string(got) != text {
			t.Errorf("%s is %q, want %q", name, got, text)
		}
	}
}
