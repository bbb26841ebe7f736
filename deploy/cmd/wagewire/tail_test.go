package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

var noon = time.Date(2026, 1, 12, 12, 0, 0, 0, time.UTC)

// completion is one with its event, as a worker holds both.
type completion struct {
	event schema.Event
	schema.Completion
}

func completed(
	p schema.Provider, kind, id, account string, r schema.Resource, o schema.Outcome,
) completion {
	w := schema.Lookup(p, kind)
	e := schema.Event{
		Provider: p, ID: id, Type: kind, Resource: w.Resource, Action: w.Action, AccountID: account,
		OccurredAt: noon, ReceivedAt: noon, Body: []byte("{}"),
	}
	c := schema.NewCompletion(e, r, o, noon.Add(time.Second))
	c.Data.Attempts = 1
	if e.NamesEndUser() {
		c.Data.EndUserID = &account
	} else {
		c.Data.AccountID = &account
	}
	return completion{e, c}
}

// reportsOf is the completion of an event that names a person, for an account of the person.
func reportsOf(person, account, id string) completion {
	c := completed("pinwheel", "verification_reports.refreshed", id, person,
		schema.VerificationReports, schema.Succeeded)
	c.event.Of = account
	c.ID = c.event.CompletionKey(schema.VerificationReports)
	c.Subject = c.event.Account()
	c.Data.AccountID = &account
	return c
}

func publishCompletions(t *testing.T, conn *stream.Conn, all ...completion) {
	t.Helper()
	for _, c := range all {
		if stored, err := conn.PublishCompletion(t.Context(), c.event, c.Completion); err != nil ||
			!stored {
			t.Fatalf("complete %s: %t, %v", c.ID, stored, err)
		}
	}
}

func TestALineSaysAllButWhatTheRecordsHold(t *testing.T) {
	income := func(change func(*schema.CompletionData)) schema.Completion {
		c := completed("pinwheel", "income.added", "e-1", "449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65",
			schema.Income, schema.Succeeded).Completion
		change(&c.Data)
		return c
	}
	const begins = "2026-01-12T12:00:01Z pinwheel income.added                   449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 "
	for promise, test := range map[string]struct {
		completion schema.Completion
		want       string
	}{
		"records are counted, not shown": {
			income(func(d *schema.CompletionData) {
				d.Records = []json.RawMessage{[]byte(`{"amount":1200}`), []byte(`{}`)}
			}),
			begins + "succeeded   records=2 attempts=1",
		},
		"records elsewhere are counted, too": {
			income(func(d *schema.CompletionData) {
				d.Records = nil
				d.RecordsRef = &schema.RecordsRef{Bucket: schema.RecordsBucket, Count: 400}
			}),
			begins + "succeeded   records=400 attempts=1",
		},
		"missing, deleted and stale are told where they are": {
			income(func(d *schema.CompletionData) {
				d.Missing = []string{"m-1"}
				d.Deleted = []string{"d-1", "d-2"}
				d.Stale = true
				d.Attempts = 3
			}),
			begins + "succeeded   records=0 attempts=3 missing=1 deleted=2 stale",
		},
		"an error has its class and code, and not its message": {
			income(func(d *schema.CompletionData) {
				d.Outcome = schema.Failed
				d.Error = &schema.CompletionError{
					Class: "provider", Code: "accountLocked", Message: "it is locked",
				}
			}),
			begins + "failed      records=0 attempts=1 class=provider code=accountLocked",
		},
		"a class without a code": {
			income(func(d *schema.CompletionData) {
				d.Outcome, d.Error = schema.Unavailable, &schema.CompletionError{Class: "not_ready"}
			}),
			begins + "unavailable records=0 attempts=1 class=not_ready",
		},
		"a code of the provider does nothing to the terminal": {
			income(func(d *schema.CompletionData) {
				d.Outcome = schema.Failed
				d.Error = &schema.CompletionError{Class: "provider", Code: "\x1b[2J oh"}
			}),
			begins + `failed      records=0 attempts=1 class=provider code="\x1b[2J oh"`,
		},
		"a person's id is a hash": {
			completed("pinwheel", "verification_reports.refreshed", "e-1", "my_user_12345",
				schema.VerificationReports, schema.Succeeded).Completion,
			"2026-01-12T12:00:01Z pinwheel verification_reports.refreshed " +
				schema.HashToken("my_user_12345") + " succeeded   records=0 attempts=1",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := formatCompletion(test.completion)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyWhatIsAskedForIsPrinted(t *testing.T) {
	all := []completion{
		completed("pinwheel", "income.added", "e-1", "a-1", schema.Income, schema.Succeeded),
		completed("pinwheel", "paystubs.fully_synced", "e-2", "a-1", schema.Paystubs,
			schema.Succeeded),
		completed("pinwheel", "paystubs.fully_synced", "e-2", "a-1", schema.Income, schema.Failed),
		completed("pinwheel", "verification_reports.refreshed", "e-3", "u-1",
			schema.VerificationReports, schema.Unavailable),
		completed("truv", "link-connected", "e-4", "a-2", schema.Link, schema.Succeeded),
		completed("truv", "link-deleted", "e-5", "a.3", schema.Link, schema.Deleted),
		reportsOf("u-2", "a-1", "e-6"),
		reportsOf("u-2", "a-6", "e-6"),
	}
	for promise, test := range map[string]struct {
		flags []string
		want  []int // of all
	}{
		"everything":                       {nil, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		"a provider's":                     {[]string{"--provider", "truv"}, []int{4, 5}},
		"a resource's":                     {[]string{"--resource", "income"}, []int{0, 2}},
		"an outcome":                       {[]string{"--outcome", "failed"}, []int{2}},
		"an account's":                     {[]string{"--account", "a-1"}, []int{0, 1, 2, 6}},
		"an account's whose id is no name": {[]string{"--account", "a.3"}, []int{5}},
		"the same, as a line shows it":     {[]string{"--account", schema.Token("a.3")}, []int{5}},
		"a person's":                       {[]string{"--account", "u-1"}, []int{3}},
		"a person's, of every account":     {[]string{"--account", "u-2"}, []int{6, 7}},
		"all of these at once": {[]string{
			"--provider", "pinwheel", "--resource", "income", "--outcome", "succeeded",
			"--account", "a-1",
		}, []int{0}},
		"since a time before": {[]string{"--since", "1h", "--provider", "truv"},
			[]int{4, 5}},
		"since a date before": {[]string{"--since", "2026-01-12T02:36:00Z",
			"--outcome", "deleted"}, []int{5}},
	} {
		t.Run(promise, func(t *testing.T) {
			s, conn := streamtest.New(t)
			publishCompletions(t, conn, all...)
			// One more like the last that is wanted: when it is printed, all before it were, or
			// never will be.
			end := all[test.want[len(test.want)-1]]
			end.event.ID = "end"
			end.ID = end.event.CompletionKey(end.Data.Resource)
			publishCompletions(t, conn, end)
			var want []string
			for _, i := range test.want {
				want = append(want, all[i].ID)
			}
			want = append(want, end.ID)

			args := append([]string{"tail", "--json", "--since", "all", "-n",
				strconv.Itoa(len(want))}, test.flags...)
			tail := wagewire(t, s.Getenv(), args...)
			var got []string
			for text := range strings.Lines(tail.stdout) {
				var c schema.Completion
				if err := json.Unmarshal([]byte(text), &c); err != nil {
					t.Fatal(err)
				}
				got = append(got, c.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" || tail.code != 0 {
				t.Errorf("exit code %d, stderr %q; (-want +got):\n%s", tail.code, tail.stderr, diff)
			}
		})
	}
}

func TestJSONIsTheCompletionAsItIsStored(t *testing.T) {
	s, conn := streamtest.New(t)
	c := completed("pinwheel", "income.added", "e-1", "a-1", schema.Income, schema.Succeeded)
	c.Data.Records = []json.RawMessage{[]byte(`{"amount":12345678901234567890.10,"note":"<a> & b"}`)}
	publishCompletions(t, conn, c)
	want, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got := wagewire(t, s.Getenv(), "tail", "--json", "--since", "all", "-n", "1")
	if diff := cmp.Diff(string(want)+"\n", got.stdout); diff != "" || got.code != 0 {
		t.Errorf("exit code %d; (-want +got):\n%s", got.code, diff)
	}
}

func TestALargeCompletionIsOneShortLine(t *testing.T) {
	s, conn := streamtest.New(t)
	c := completed("pinwheel", "paystubs.fully_synced", "e-1", "a-1", schema.Paystubs,
		schema.Succeeded)
	for range 400 {
		c.Data.Records = append(c.Data.Records,
			json.RawMessage(`{"secret":"`+strings.Repeat("x", 2000)+`"}`))
	}
	publishCompletions(t, conn, c)
	got := wagewire(t, s.Getenv(), "tail", "--since", "all", "-n", "1")
	if got.code != 0 || !strings.Contains(got.stdout, "records=400") ||
		strings.Count(got.stdout, "\n") != 1 || strings.Contains(got.stdout, "secret") {
		t.Errorf("got %+v", got)
	}
}

func TestCompletionsArePrintedAsTheyComeUntilCtrlC(t *testing.T) {
	s, conn := streamtest.New(t)
	publishCompletions(t, conn,
		completed("pinwheel", "income.added", "before", "before", schema.Income, schema.Succeeded))
	tail := begin(t, s.Getenv(), "tail")
	tail.stderr.await(t, "printing completions")
	for _, account := range []string{"first", "second"} {
		publishCompletions(t, conn,
			completed("pinwheel", "income.added", account, account, schema.Income,
				schema.Succeeded))
		tail.stdout.await(t, account)
	}
	tail.interrupt()
	if code := tail.ends(t); code != 0 || strings.Count(tail.stdout.String(), "\n") != 2 {
		t.Errorf("exit code %d, want 0 and two lines, without the one before:\n%s%s", code,
			tail.stdout, tail.stderr)
	}
}

func TestABrokerThatRestartsIsNotTheEnd(t *testing.T) {
	s, conn := streamtest.New(t)
	tail := begin(t, s.Getenv(), "tail")
	tail.stderr.await(t, "printing completions")
	publishCompletions(t, conn,
		completed("pinwheel", "income.added", "first", "first", schema.Income, schema.Succeeded))
	tail.stdout.await(t, "first")
	s.Stop()
	tail.stderr.await(t, "nats disconnected")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	tail.stderr.await(t, "nats reconnected")
	publishCompletions(t, conn,
		completed("pinwheel", "income.added", "second", "second", schema.Income, schema.Succeeded))
	tail.stdout.await(t, "second")
	tail.interrupt()
	if code := tail.ends(t); code != 0 || strings.Count(tail.stdout.String(), "\n") != 2 {
		t.Errorf("exit code %d, want 0 and each completion once:\n%s%s", code, tail.stdout,
			tail.stderr)
	}
}

func TestTailOfABrokerThatIsNotProvisionedSaysWhatToRun(t *testing.T) {
	got := wagewire(t, startBroker(t).Getenv(), "tail", "-n", "1")
	if got.code != 1 || !strings.Contains(got.stderr, "run: wagewire provision apply") {
		t.Errorf("got %+v", got)
	}
}

func TestACommandWithoutAnEndEndsWhenItsConnectionIsLostForGood(t *testing.T) {
	for _, args := range [][]string{{"tail"}, {"status", "--watch", "50ms"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			s, _ := streamtest.New(t)
			endless := begin(t, s.Getenv(), args...)
			if args[0] == "tail" {
				endless.stderr.await(t, "printing completions")
			} else {
				endless.stdout.await(t, "\n")
			}
			// From now on every request with a body is over the limit.
			if err := s.SetPayloadMax(1); err != nil {
				t.Fatal(err)
			}
			code := endless.ends(t)
			got := endless.stderr.String()
			if code != 1 || !strings.Contains(got, "closed the connection for good") {
				t.Errorf("exit code %d, stderr %q", code, got)
			}
		})
	}
}
