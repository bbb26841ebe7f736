package python_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// encode returns a completion as JSON after change, which gets the members.
func encode(
	t *testing.T, c schema.Completion, change func(completion, data map[string]any),
) string {
	t.Helper()
	text, err := c.Encode()
	must(t, err)
	var completion map[string]any
	must(t, json.Unmarshal(text, &completion))
	change(completion, completion["data"].(map[string]any))
	text, err = json.Marshal(completion)
	must(t, err)
	return string(text)
}

// asideFiles returns the contents of the files in a directory, by their names.
func asideFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has the mode %o", entry.Name(), mode)
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		must(t, err)
		files[entry.Name()] = string(text)
	}
	return files
}

// waitUntilSettled waits until the team's durable has nothing left.
func (i *installation) waitUntilSettled(t *testing.T) {
	t.Helper()
	streamtest.Eventually(t, "nothing is left", func() bool { return i.left(t) == 0 })
}

func TestAProgramThatWasAwayFor20DaysGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	first := i.start(t, orders{"do": "subscribe"})
	first.wait("stored", "e-1")
	first.stop()
	if requests := i.info(t).NumWaiting; requests > 0 {
		t.Errorf("%d requests of the program are left: they get what nobody receives", requests)
	}
	for n := range 20 {
		e := paystubsOf("a-1", fmt.Sprintf("day-%d", n))
		e.OccurredAt = at.AddDate(0, 0, n)
		c := completionOf(e)
		c.Time = e.OccurredAt
		i.publish(t, e, c)
	}
	got := events(i.start(t, orders{"do": "catch_up"}).end(), "stored")
	slices.Sort(got)
	var want []string
	for n := range 20 {
		want = append(want, fmt.Sprintf("day-%d", n))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestACompletionThatAlwaysFailsIsSetAsideAlone(t *testing.T) {
	t.Parallel()
	i := serve(t)
	dir := t.TempDir()
	i.complete(t, "a-1", "bad", `{"id":"p-1","gross":0.30}`)
	p := i.start(t, orders{
		"do": "subscribe", "fails": []string{"bad"}, "attempts_max": 3, "aside": dir,
	})
	p.wait("began", "bad")
	n := 0
	streamtest.Eventually(t, "it is set aside", func() bool {
		n++
		event := fmt.Sprintf("good-%d", n)
		i.complete(t, "a-2", event)
		p.wait("stored", event)
		files, err := os.ReadDir(dir)
		must(t, err)
		return len(files) == 2
	})
	i.waitUntilSettled(t)
	lines := p.stop()
	if tries := len(events(lines, "began")) - n; tries < 3 {
		t.Errorf("it was tried %d times", tries)
	}
	files := asideFiles(t, dir)
	c := files["WAGEWIRE_COMPLETIONS-1.json"]
	if !strings.Contains(c, `{"id":"p-1","gross":0.30}`) {
		t.Errorf("the completion that is kept: %s", c)
	}
	why := files["WAGEWIRE_COMPLETIONS-1.why.txt"]
	if !strings.Contains(why, "ConnectionError") || strings.Contains(why, "Jane") {
		t.Errorf("the reason: %q", why)
	}
}

func TestADatabaseThatIsAwaySetsNothingAside(t *testing.T) {
	t.Parallel()
	i := serve(t)
	dir := t.TempDir()
	for n := range 3 {
		i.complete(t, fmt.Sprintf("a-%d", n), fmt.Sprintf("e-%d", n))
	}
	p := i.start(t, orders{
		"do": "subscribe", "fails": []string{"all"}, "attempts_max": 3, "aside": dir,
	})
	for p.wait("began", "e-0").Attempt < 8 {
		continue
	}
	p.tell("recover all")
	i.waitUntilSettled(t)
	got := events(p.stop(), "stored")
	slices.Sort(got)
	if want := []string{"e-0", "e-1", "e-2"}; !cmp.Equal(got, want) {
		t.Errorf("stored %q", got)
	}
	if files := asideFiles(t, dir); len(files) > 0 {
		t.Errorf("set aside: %v", files)
	}
}

func TestWhatWasAcknowledgedComesOnANewDurableOnly(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	for range 2 {
		i.start(t, orders{"do": "catch_up"}).end()
	}
	i.complete(t, "a-1", "e-2")
	if got := events(i.start(t, orders{"do": "catch_up"}).end(), "stored"); !cmp.Equal(got, []string{"e-2"}) {
		t.Errorf("the old durable has %q", got)
	}
	team := i.team
	team.Durables = append(team.Durables, again)
	i.plan(t, team, stream.Reading{Since: time.Now().Add(-time.Hour)})
	got := events(i.start(t, orders{"do": "catch_up", "durable": again}).end(), "stored")
	if !cmp.Equal(got, []string{"e-1", "e-2"}) {
		t.Errorf("the new durable has %q", got)
	}
}

func TestUnknownWordsAndFieldsAreKept(t *testing.T) {
	t.Parallel()
	i := serve(t)
	text := encode(t, completionOf(paystubsOf("a-1", "e-1")), func(c, data map[string]any) {
		c["unknown"] = map[string]any{"deep": []int{1}}
		data["outcome"] = "postponed"
	})
	i.publishText(t, "e-1", text)
	p := i.start(t, orders{"do": "catch_up"})
	said := p.wait("stored", "e-1")
	p.end()
	if said.Outcome != "postponed" || string(said.Unknown) != `{"deep":[1]}` {
		t.Errorf("%+v", said)
	}
}

func TestPoisonIsSetAsideAtOnceAndCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	i := serve(t)
	dir := t.TempDir()
	completion := encode(t, completionOf(paystubsOf("a-1", "x")), func(_, data map[string]any) {
		data["records"] = "RECORDS"
	})
	withRecords := func(text string) string {
		return strings.Replace(completion, `"RECORDS"`, text, 1)
	}
	rows := []struct {
		promise, text, why string
	}{
		{"text that is not JSON", `{"id":`, "not JSON"},
		{"JSON that is no completion", `{"id":"x","data":{}}`, "not that of a completion"},
		{"a list", `[]`, "not that of a completion"},
		{"nothing", "", "not JSON"},
		{"100,000 levels", withRecords(strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000)),
			"more than 100 levels"},
		{"a number that is none", withRecords(`[{"id":NaN}]`), "NaN"},
		{"a number with an exponent of 30 digits",
			withRecords(`[{"id":1e123456789012345678901234567890}]`), "exponent"},
		{"records that are no objects", withRecords(`[1]`), "data.records"},
	}
	for n, row := range rows {
		i.publishText(t, fmt.Sprintf("e-%d", n), row.text)
	}
	i.complete(t, "a-1", "refused", `{"id":"p-1","gross":0.30}`)
	i.complete(t, "a-1", "good")
	lines := i.start(t, orders{
		"do": "catch_up", "aside": dir, "poisons": []string{"refused"},
	}).end()
	if got := events(lines, "stored"); !cmp.Equal(got, []string{"good"}) {
		t.Errorf("stored %q", got)
	}
	files := asideFiles(t, dir)
	for n, row := range rows {
		name := fmt.Sprintf("WAGEWIRE_COMPLETIONS-%d", n+1)
		if why := files[name+".why.txt"]; !strings.Contains(why, row.why) {
			t.Errorf("%s: the reason is %q", row.promise, why)
		}
		if text, isThere := files[name+".json"]; !isThere || text != row.text {
			t.Errorf("%s: %d bytes are kept of %d", row.promise, len(text), len(row.text))
		}
	}
	name := fmt.Sprintf("WAGEWIRE_COMPLETIONS-%d", len(rows)+1)
	if why := files[name+".why.txt"]; why != "no such employer\n" {
		t.Errorf("the reason of the program is %q", why)
	}
	retried := i.start(t, orders{"do": "retry", "aside": dir}).end()
	if got := events(retried, "stored"); !cmp.Equal(got, []string{"refused"}) {
		t.Errorf("the second try stored %q", got)
	}
	rest := asideFiles(t, dir)
	if _, isThere := rest[name+".json"]; isThere || len(rest) != 2*len(rows) {
		t.Errorf("%d files are left", len(rest))
	}
}

func TestADeletionComesAgainUntilItIsTaken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ promise, how string }{
		{"an error", "fails"},
		{"an error that the program calls poison", "poisons"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			dir := t.TempDir()
			i.completeLink(t, "l-1", "deletion", schema.Deleted)
			p := i.start(t, orders{
				"do": "subscribe", row.how: []string{"deletion"}, "attempts_max": 2, "aside": dir,
			})
			for n := 0; p.wait("removing", "deletion").Attempt < 8; n++ {
				event := fmt.Sprintf("good-%d", n)
				i.complete(t, "a-2", event)
				p.wait("stored", event)
			}
			p.tell("recover all")
			p.wait("removed", "deletion")
			i.waitUntilSettled(t)
			p.stop()
			if files := asideFiles(t, dir); len(files) > 0 {
				t.Errorf("set aside: %v", files)
			}
		})
	}
}

func TestWhatIsAsideOfADeletedAccountIsRemovedUnseen(t *testing.T) {
	t.Parallel()
	i := serve(t)
	dir := t.TempDir()
	i.complete(t, "a 1", "of deleted", `{"id":"p-1"}`)
	i.complete(t, "a-2", "of present", `{"id":"p-2"}`)
	i.complete(t, "a-3", "of unknown", `{"id":"p-3"}`)
	i.start(t, orders{
		"do": "catch_up", "aside": dir, "poisons": []string{"of deleted", "of present", "of unknown"},
	}).end()
	if files := asideFiles(t, dir); len(files) != 6 {
		t.Fatalf("set aside: %v", files)
	}
	for account, status := range map[string]string{"a 1": "deleted", "a-2": "ready"} {
		subject := schema.AccountSubject(schema.Pinwheel, schema.Token(account))
		_, err := i.js.Publish(t.Context(), subject, fmt.Appendf(nil, `{"data":{"status":%q}}`, status))
		must(t, err)
	}
	retry := i.start(t, orders{"do": "retry", "aside": dir})
	taken := retry.wait("retried", "").Taken
	lines := retry.end()
	if got := events(lines, "stored"); !cmp.Equal(got, []string{"of present", "of unknown"}) {
		t.Errorf("stored %q", got)
	}
	if began := events(lines, "began"); len(began) != 2 || taken != 2 {
		t.Errorf("%d are taken, and the program saw %q", taken, began)
	}
	if files := asideFiles(t, dir); len(files) > 0 {
		t.Errorf("still aside: %v", files)
	}
}

func TestPoisonComesAgainWithoutAPlaceAside(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.publishText(t, "e-1", "no completion")
	p := i.start(t, orders{"do": "subscribe", "attempts_max": 1})
	streamtest.Eventually(t, "it comes again", func() bool {
		return i.info(t).NumRedelivered > 0
	})
	p.stop()
	if left := i.left(t); left != 1 {
		t.Errorf("%d are left", left)
	}
}

func TestLargeRecordsAreCheckedBeforeAnyComes(t *testing.T) {
	t.Parallel()
	i := serve(t)
	dir := t.TempDir()
	large := `{"id":"p-1","text":"` + strings.Repeat("x", schema.CompletionBytesMax) + `"}`
	i.complete(t, "a-1", "good", large, `{"id":"p-2"}`)
	stored, err := i.js.Stream(t.Context(), schema.CompletionsStream)
	must(t, err)
	good, err := stored.GetMsg(t.Context(), 1)
	must(t, err)
	rows := []struct {
		promise string
		change  func(ref map[string]any)
		why     string
	}{
		{"records that are gone", func(ref map[string]any) {
			ref["subject"] = "$O.WAGEWIRE_RECORDS.C.pinwheel.paystubs.a-1.nowhere"
		}, "RecordsGone"},
		{"a chunk that is gone", func(ref map[string]any) { ref["chunks"] = 1000 }, "RecordsGone"},
		{"records of an earlier release", func(ref map[string]any) { delete(ref, "subject") },
			"earlier release"},
		{"another hash", func(ref map[string]any) { ref["sha256"] = strings.Repeat("0", 64) },
			"RecordsChanged"},
		{"another number", func(ref map[string]any) { ref["count"] = 3 }, "RecordsChanged"},
		{"another size", func(ref map[string]any) { ref["bytes"] = 3 }, "RecordsChanged"},
		{"a subject that is a filter", func(ref map[string]any) { ref["subject"] = "$O.>" },
			"RecordsChanged"},
	}
	for n, row := range rows {
		var c map[string]any
		must(t, json.Unmarshal(good.Data, &c))
		data := c["data"].(map[string]any)
		event := fmt.Sprintf("e-%d", n)
		data["event"].(map[string]any)["id"] = event
		row.change(data["records_ref"].(map[string]any))
		text, err := json.Marshal(c)
		must(t, err)
		i.publishText(t, event, string(text))
	}
	lines := i.start(t, orders{"do": "catch_up", "aside": dir, "attempts_max": 3}).end()
	if got := events(lines, "stored"); !cmp.Equal(got, []string{"good"}) {
		t.Errorf("stored %q", got)
	}
	files := asideFiles(t, dir)
	began := events(lines, "began")
	for n, row := range rows {
		why := files[fmt.Sprintf("WAGEWIRE_COMPLETIONS-%d.why.txt", n+2)]
		if !strings.Contains(why, row.why) {
			t.Errorf("%s: the reason is %q", row.promise, why)
		}
		event := fmt.Sprintf("e-%d", n)
		tries := 0
		for _, of := range began {
			if of == event {
				tries++
			}
		}
		if tries != 3 {
			t.Errorf("%s: %d tries", row.promise, tries)
		}
	}
}

func TestLargeRecordsNeedLittleMemory(t *testing.T) {
	t.Parallel()
	i := serve(t)
	e := paystubsOf("a-1", "e-1")
	records, err := i.NewRecordsWriter(t.Context(), e, schema.Paystubs)
	must(t, err)
	const count = 20_000
	for n := range count {
		record := fmt.Sprintf(`{"id":"p-%d","text":%q,"gross":0.%030d}`, n, strings.Repeat("ü", 500), n)
		must(t, records.Add(t.Context(), json.RawMessage(record)))
	}
	_, err = i.PublishWithRecords(t.Context(), e, completionOf(e), records)
	must(t, err)
	p := i.start(t, orders{"do": "catch_up", "only_counts": true})
	if said := p.wait("stored", "e-1"); said.Count != count {
		t.Errorf("%d records", said.Count)
	}
	const kibMax = 12 << 10
	if grew := p.wait("caught up", "").Grew; grew > kibMax {
		t.Errorf("20 MiB of records need %d KiB of memory", grew)
	}
	p.end()
}

func TestADeletionComesWhateverTheFilter(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise string
		filter  orders
		stored  []string
		// leftOut is how many completions the filter left out, as the log says.
		leftOut []string
	}{
		{"all", orders{}, []string{"paystubs-1", "paystubs-2", "link"}, nil},
		{"resources", orders{"resources": []string{"income"}}, nil, []string{"3"}},
		{"resources with links", orders{"resources": []string{"link"}}, []string{"link"},
			[]string{"2"}},
		{"accounts", orders{"accounts": []string{"a-2"}}, []string{"paystubs-2"}, []string{"2"}},
		{"an account whose id is no token", orders{"accounts": []string{"a 1"}},
			[]string{"paystubs-1"}, []string{"2"}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			i.complete(t, "a 1", "paystubs-1")
			i.complete(t, "a-2", "paystubs-2")
			i.completeLink(t, "l-1", "link", schema.Succeeded)
			i.completeLink(t, "l-2", "deletion", schema.Deleted)
			o := orders{"do": "catch_up", "hands": 1}
			for name, value := range row.filter {
				o[name] = value
			}
			lines := i.start(t, o).end()
			if diff := cmp.Diff(row.stored, events(lines, "stored")); diff != "" {
				t.Errorf("stored: -want +got:\n%s", diff)
			}
			if got := events(lines, "removed"); !cmp.Equal(got, []string{"deletion"}) {
				t.Errorf("removed %q", got)
			}
			var leftOut []string
			for _, said := range lines {
				if n, _, isFound := strings.Cut(said.Why, " completions were outside"); isFound {
					leftOut = append(leftOut, n)
				}
			}
			if diff := cmp.Diff(row.leftOut, leftOut); diff != "" {
				t.Errorf("left out: -want +got:\n%s", diff)
			}
		})
	}
}

func TestAStopEndsWhatIsInHandAndGivesBackTheRest(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise string
		do      string
		signal  syscall.Signal
	}{
		{"SIGTERM", "subscribe", syscall.SIGTERM},
		{"SIGINT", "subscribe", syscall.SIGINT},
		{"a cancelled task", "cancel", syscall.SIGTERM},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			// All hands have a completion, and three of them wait for the account.
			for n := range 4 {
				i.complete(t, "a-1", fmt.Sprintf("e-%d", n))
			}
			first := i.start(t, orders{"do": row.do, "holds": []string{"e-0"}})
			first.wait("began", "e-0")
			streamtest.Eventually(t, "the hands are full", func() bool {
				return i.info(t).NumAckPending == 4
			})
			first.signal(row.signal)
			first.wait("stopping", "")
			second := i.start(t, orders{"do": "subscribe", "hands": 1})
			var rest []string
			for range 3 { // they come in any order
				rest = append(rest, second.wait("stored", "").Event)
			}
			slices.Sort(rest)
			if want := []string{"e-1", "e-2", "e-3"}; !cmp.Equal(rest, want) {
				t.Errorf("the second program stored %q", rest)
			}
			first.tell("release e-0")
			lines := first.end()
			if got := events(lines, "stored"); !cmp.Equal(got, []string{"e-0"}) {
				t.Errorf("the first program stored %q", got)
			}
			i.waitUntilSettled(t)
			second.stop()
			isCancelled := slices.ContainsFunc(lines, func(l line) bool { return l.Cancelled })
			if want := row.do == "cancel"; isCancelled != want {
				t.Errorf("the task is cancelled: %v", isCancelled)
			}
		})
	}
}

func TestWhatAKilledProgramHadInHandComesAgain(t *testing.T) {
	t.Parallel()
	i := serve(t)
	consumer, err := i.js.Consumer(t.Context(), schema.CompletionsStream, lending)
	must(t, err)
	config := consumer.CachedInfo().Config
	config.AckWait = time.Second // so that the test takes no minute
	_, err = i.js.UpdateConsumer(t.Context(), schema.CompletionsStream, config)
	must(t, err)
	i.complete(t, "a-1", "e-1")
	first := i.start(t, orders{"do": "subscribe", "holds": []string{"e-1"}})
	first.wait("began", "e-1")
	first.kill()
	second := i.start(t, orders{"do": "subscribe"})
	if said := second.wait("stored", "e-1"); said.Attempt < 2 {
		t.Errorf("it is attempt %d", said.Attempt)
	}
	i.waitUntilSettled(t)
	second.stop()
}

func TestTwoProgramsShareADurable(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	first := i.start(t, orders{"do": "subscribe", "holds": []string{"e-1"}, "hands": 1})
	first.wait("began", "e-1")
	i.complete(t, "a-1", "e-2")
	second := i.start(t, orders{"do": "subscribe"})
	second.wait("stored", "e-2")
	first.tell("release e-1")
	first.wait("stored", "e-1")
	i.waitUntilSettled(t)
	got := append(events(first.stop(), "stored"), events(second.stop(), "stored")...)
	if !cmp.Equal(got, []string{"e-1", "e-2"}) {
		t.Errorf("stored %q", got)
	}
}

func TestCompletionsOfOneAccountComeOneByOne(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	i.complete(t, "a-1", "e-2")
	i.complete(t, "a-2", "e-3")
	p := i.start(t, orders{"do": "subscribe", "holds": []string{"e-1", "e-3"}})
	p.wait("began", "e-1")
	p.wait("began", "e-3") // at the same time
	streamtest.Eventually(t, "a hand has e-2", func() bool { return i.info(t).NumAckPending == 3 })
	p.tell("release e-1")
	p.wait("stored", "e-2")
	p.tell("release e-3")
	i.waitUntilSettled(t)
	lines := p.stop()
	var order []string
	for _, said := range lines {
		if said.Event == "e-1" || said.Event == "e-2" {
			order = append(order, said.Did+" "+said.Event)
		}
	}
	want := []string{"began e-1", "stored e-1", "began e-2", "stored e-2"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestABrokerThatRestartsIsNoEnd(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	p := i.start(t, orders{"do": "subscribe"})
	p.wait("stored", "e-1")
	i.waitUntilSettled(t)
	i.server.Stop()
	must(t, i.server.Restart())
	streamtest.Eventually(t, "the operator is connected", func() bool {
		e := paystubsOf("a-1", "e-2")
		_, err := i.PublishCompletion(t.Context(), e, completionOf(e))
		return err == nil
	})
	p.wait("stored", "e-2")
	p.stop()
}

func TestAKeyThatIsRefusedForAWhileIsNoEnd(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	i.complete(t, "a-2", "in-hand")
	address := strings.Replace(i.server.URL(), "nats://", "nats://lending:lending@", 1)
	p := i.start(t, orders{"do": "subscribe", "holds": []string{"in-hand"}}, "NATS_URL="+address)
	p.wait("stored", "e-1")
	p.wait("began", "in-hand")
	streamtest.Eventually(t, "e-1 is acknowledged", func() bool { return i.left(t) == 1 })
	i.setPassword(t, "another")
	for !strings.Contains(p.wait("logged", "").Why, "refuses the key") {
		continue
	}
	i.setPassword(t, lending)
	for !strings.Contains(p.wait("logged", "").Why, "connected to the broker again") {
		continue
	}
	p.tell("release in-hand")
	p.wait("stored", "in-hand")
	i.complete(t, "a-1", "e-2")
	p.wait("stored", "e-2")
	i.waitUntilSettled(t)
	if began := events(p.stop(), "began"); len(began) != 3 {
		t.Errorf("began %q", began)
	}
}

func TestAProgramWhoseKeyIsRefusedCanBeStopped(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	address := strings.Replace(i.server.URL(), "nats://", "nats://lending:lending@", 1)
	p := i.start(t, orders{"do": "subscribe"}, "NATS_URL="+address)
	p.wait("stored", "e-1")
	i.setPassword(t, "another")
	for !strings.Contains(p.wait("logged", "").Why, "refuses the key") {
		continue
	}
	lines := p.stop()
	if ended := lines[len(lines)-1].Did; ended != "ended" {
		t.Errorf("at the end the program %s", ended)
	}
}

func TestARemovedDurableIsAnError(t *testing.T) {
	t.Parallel()
	i := serve(t)
	i.complete(t, "a-1", "e-1")
	p := i.start(t, orders{"do": "subscribe"})
	p.wait("stored", "e-1")
	must(t, i.js.DeleteConsumer(t.Context(), schema.CompletionsStream, lending))
	if said := p.wait("refused", ""); !strings.Contains(said.Why, "NoDurable") {
		t.Errorf("%q", said.Why)
	}
	p.end()
}

func TestAWrongConfigurationIsAClearError(t *testing.T) {
	t.Parallel()
	i := serve(t)
	for _, row := range []struct {
		promise string
		orders  orders
		env     string
		why     string
	}{
		{"a team that is not there", orders{"team": "nobody"}, "", "wagewire team add"},
		{"a durable that is not there", orders{"durable": again}, "", "wagewire team add"},
		{"a resource that the team was not granted", orders{"resources": []string{"bank_accounts"}}, "",
			"ConfigError: durable lending does not deliver bank_accounts: the operator grants it with " +
				"`wagewire team add lending --resources income,paystubs,bank_accounts`"},
		{"no broker", orders{}, "NATS_URL=nats://127.0.0.1:1", "NATS_URL"},
		{"a seed that is not there", orders{}, "NATS_SEED_FILE=/nowhere", "NATS_SEED_FILE"},
		{"no authorities", orders{}, "NATS_CA_FILE=/nowhere", "NATS_CA_FILE"},
		{"a key that the broker does not know", orders{},
			"NATS_URL=nats://lending:wrong@BROKER", "refuses the key"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			address := strings.TrimPrefix(i.server.URL(), "nats://")
			row.orders["do"] = "subscribe"
			p := i.start(t, row.orders, strings.Replace(row.env, "BROKER", address, 1))
			said := p.wait("refused", "")
			if !strings.Contains(said.Why, row.why) {
				t.Errorf("%q", said.Why)
			}
			p.end()
		})
	}
}

func TestTheStateOfAnAccountIsOneRequest(t *testing.T) {
	t.Parallel()
	i := serve(t)
	state := `{"data":{"status":"ready"}}`
	for _, account := range []string{"a-1", "a 2"} {
		subject := schema.AccountSubject(schema.Pinwheel, schema.Token(account))
		_, err := i.js.Publish(t.Context(), subject, []byte(state))
		must(t, err)
	}
	p := i.start(t, orders{"do": "account", "accounts": []string{"a-1", "a 2", "a-3"}})
	var got []string
	for _, said := range p.end() {
		if said.Did == "account" && said.Status != nil {
			got = append(got, *said.Status)
		} else if said.Did == "account" {
			got = append(got, "none")
		}
	}
	if diff := cmp.Diff([]string{"ready", "ready", "none"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
