package typescript_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// megabytes is the size of the largest records. make test/kits asks for more.
var megabytes = flag.Int("megabytes", 20, "size of the largest records")

// digits is an amount that no float has.
const digits = `123456789012345678901234567890.10`

// The rows without a broker.
func TestTheUnitTestsPass(t *testing.T) {
	built(t)
	vectors, err := filepath.Abs("../../normal/testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("WAGEWIRE_VECTORS", vectors)
	if err := command(workshop, "node", "--test", "dist/test/unit.test.js",
		"dist/test/normal.test.js"); err != nil {
		t.Error(err)
	}
}

func TestCompletionsComeWithEveryDigit(t *testing.T) {
	w := serve(t)
	small := fmt.Sprintf(`{"id":"p-1","gross_pay_ytd":%s,"net":-0.10,"new":{"e":1E+2}}`, digits)
	large := fmt.Sprintf(`{"id":"p-2","text":%q}`, strings.Repeat("x", schema.CompletionBytesMax))
	first := w.publish(eventOf("e-1", "a-1"), small)
	second := w.publish(eventOf("e-2", "a-1"), small, large)
	removed := w.publish(deletionOf("e-3", "l-1"))

	p := w.run(plan{Mode: "catchUp", Hands: 1})
	for _, want := range []line{
		{ID: first, Count: 1, First: small, SHA256: sumOf(small)},
		{ID: second, Count: 2, First: small, SHA256: sumOf(small, large)},
	} {
		got := p.expect("store", want.ID)
		if got.Count != want.Count || got.First != want.First || got.SHA256 != want.SHA256 {
			t.Errorf("%s has other records: %+v, want %+v", want.ID, got, want)
		}
	}
	if got := p.expect("remove", removed).Outcome; got != "deleted" {
		t.Errorf("a deletion has the outcome %s", got)
	}
	p.end()
	w.settled()
}

// sumOf is the SHA-256 of records as the driver computes it.
func sumOf(records ...string) string {
	digest := sha256.New()
	for _, record := range records {
		digest.Write([]byte(record + "\n"))
	}
	return hex.EncodeToString(digest.Sum(nil))
}

func TestAnUnknownOutcomeAndUnknownFieldsAreKept(t *testing.T) {
	w := serve(t)
	body := []byte(`{"id":"pinwheel:e-1:paystubs","subject":"a-1","time":"2027-01-01T00:00:00Z",` +
		`"colour":` + digits + `,"sequence":"s","data":{"provider":"pinwheel","resource":"paystubs",` +
		`"outcome":"postponed","event":{},"records":[],"next":{"at":1.10}}}`)
	w.publishRaw("e-1", body)

	p := w.run(plan{Mode: "catchUp"})
	got := p.expect("store", "pinwheel:e-1:paystubs")
	if got.Outcome != "postponed" || !bytes.Equal(got.Raw, body) {
		t.Errorf("it came as %s: %s", got.Outcome, got.Raw)
	}
	p.end()
}

func TestADeletionComesWhateverTheFilter(t *testing.T) {
	w := serve(t)
	w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	named := w.publish(eventOf("e-2", "an id with spaces"), `{"id":"1"}`)
	removed := w.publish(deletionOf("e-3", "l-1"))
	p := w.run(plan{Mode: "catchUp", Hands: 1, Resources: []string{"paystubs", "income"},
		Accounts: []string{"an id with spaces"}})
	p.expect("store", named)
	p.expect("remove", removed)
	p.end()

	removed = w.publish(deletionOf("e-4", "l-2"))
	p = w.run(plan{Mode: "catchUp", Resources: []string{"income"}, Accounts: []string{"other"}})
	p.expect("remove", removed)
	p.end()
	w.settled()
	if log := p.log.String(); strings.Contains(log, "the filter left") {
		t.Errorf("a deletion is no completion that the filter leaves out: %s", log)
	}
}

func TestTheLogSaysHowManyCompletionsTheFilterLeftOut(t *testing.T) {
	w := serve(t)
	for i := range 1001 {
		w.publish(eventOf(fmt.Sprintf("e-%d", i), fmt.Sprintf("a-%d", i)), `{"id":"1"}`)
	}
	p := w.run(plan{Mode: "catchUp", Resources: []string{"income"}, Hands: 100})
	p.end()
	for _, want := range []string{
		`{"level":"info","message":"the filter left completions out","completions":1000}`,
		`{"level":"info","message":"the filter left completions out","completions":1001}`,
	} {
		if log := p.log.String(); !strings.Contains(log, want+"\n") {
			t.Errorf("the kit logged %q, want %s", log, want)
		}
	}
}

// A reference to records that the test stores itself.
type reference struct {
	account string
	text    string
	// chunks are those that are stored. Nil: those of the text.
	chunks []string
	sha256 string
	count  int
}

// publishReference stores chunks, and a completion that refers to them.
func (w *world) publishReference(id string, r reference) string {
	w.t.Helper()
	e := eventOf(id, r.account)
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, noon())
	c.Data.Records = nil
	sum := sha256.Sum256([]byte(r.text))
	c.Data.RecordsRef = &schema.RecordsRef{
		Bucket: schema.RecordsBucket, Name: "n", SHA256: hex.EncodeToString(sum[:]),
		Bytes: int64(len(r.text)), Count: r.count, Chunks: 2,
		Subject: "$O." + schema.RecordsBucket + ".C.pinwheel.paystubs.a-1." + id,
	}
	if r.sha256 != "" {
		c.Data.RecordsRef.SHA256 = r.sha256
	}
	if r.chunks == nil {
		half := len(r.text) / 2
		r.chunks = []string{r.text[:half], r.text[half:]}
	}
	for i, chunk := range r.chunks {
		w.storeChunk(c.Data.RecordsRef.ChunkSubject(i+1), chunk)
	}
	body, err := c.Encode()
	w.must(err)
	_, err = w.js.Publish(w.t.Context(), e.CompletionSubject(schema.Paystubs), body)
	w.must(err)
	return c.ID
}

func (w *world) storeChunk(subject, chunk string) {
	w.t.Helper()
	_, err := w.js.Publish(w.t.Context(), subject, []byte(chunk))
	w.must(err)
}

func TestOfBrokenRecordsNothingIsHandedOutAndOnlyTheyAreSetAside(t *testing.T) {
	w := serve(t)
	records := `[{"id":"1"},{"id":"2"}]`
	faults := map[string]string{}
	reasons := map[string]string{}
	for _, row := range []struct {
		fault, reason string
		reference
	}{
		{"RecordsGone", "chunk 2 of 2 of the records is gone",
			reference{text: records, count: 2, chunks: []string{records[:9]}}},
		{"RecordsChanged", "the records have another SHA-256 than they should",
			reference{text: records, count: 2, sha256: strings.Repeat("0", 64)}},
		{"RecordsChanged", "there are 2 records, and should be 3",
			reference{text: records, count: 3}},
		{"RecordsChanged", "the records have fewer bytes than they should",
			reference{text: records, count: 2, chunks: []string{"[", "]"}}},
		{"RecordsChanged", "the records have more bytes than they should",
			reference{text: records, count: 2, chunks: []string{records, records}}},
	} {
		row.account = fmt.Sprintf("a-%d", len(faults))
		id := w.publishReference(row.account, row.reference)
		faults[id] = row.fault
		reasons[fmt.Sprintf("WAGEWIRE_COMPLETIONS-%d.why.txt", len(faults))] =
			"2 deliveries: " + row.reason + "\n"
	}
	good := w.publish(eventOf("good", "a-9"), `{"id":"1"}`)

	aside := filepath.Join(t.TempDir(), "aside")
	p := w.run(plan{Mode: "catchUp", Aside: aside, AttemptsMax: 2})
	times := map[string]int{}
	for told := p.next(); told.Call != "end"; told = p.next() {
		times[told.ID]++
		switch told.Call {
		case "store": // told before the records are read
		case "fault":
			if told.Fault != faults[told.ID] || told.Count != 0 {
				t.Errorf("%s: %s after %d records", told.ID, told.Fault, told.Count)
			}
		default:
			t.Errorf("it told %+v", told)
		}
	}
	for id := range faults {
		if times[id] != 2 {
			t.Errorf("%s came %d times, want 2", id, times[id])
		}
	}
	if times[good] != 1 {
		t.Errorf("the good one came %d times", times[good])
	}
	files := asideFiles(t, aside)
	for name, reason := range reasons {
		if files[name] != reason {
			t.Errorf("%s has %q, want %q", name, files[name], reason)
		}
	}
	if len(files) != 2*len(faults) {
		t.Errorf("set aside are %d files", len(files))
	}
}

func TestAChunkThatComesLaterIsRead(t *testing.T) {
	w := serve(t)
	records := `[{"id":"1"},{"id":"2"}]`
	id := w.publishReference("late", reference{
		account: "a-1", text: records, count: 2, chunks: []string{records[:9]},
	})
	p := w.run(plan{Mode: "catchUp"})
	if got := p.expect("fault", id).Fault; got != "RecordsGone" {
		t.Errorf("the fault is %s", got)
	}
	w.storeChunk("$O."+schema.RecordsBucket+".C.pinwheel.paystubs.a-1.late.2", records[9:])
	if got := p.expect("store", id); got.Count != 2 || got.Deliveries != 2 {
		t.Errorf("%d records came with delivery %d", got.Count, got.Deliveries)
	}
	p.end()
}

func TestRecordsOfAnEarlierReleaseAreAClearError(t *testing.T) {
	w := serve(t)
	former, err := os.ReadFile("../../testdata/former/completion.records_ref.json")
	w.must(err)
	former = bytes.ReplaceAll(former, []byte("\"subject\": \"$O."), []byte("\"former\": \"$O."))
	w.publishRaw("e-1", former)
	p := w.run(plan{Mode: "subscribe"})
	if got := p.expect("fault", "").Fault; got != "RecordsGone" {
		t.Errorf("the fault is %s", got)
	}
}

func TestBytesThatAreNoCompletionAreSetAsideAtOnce(t *testing.T) {
	w := serve(t)
	ends, err := w.nats.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
	w.must(err)
	w.must(w.nats.Flush())
	deep := strings.Repeat("[", 100_000)
	rows := []struct{ body, reason string }{
		{"", "the message is not JSON"},
		{"no JSON", "the message is not JSON"},
		{`{"id":"pinwheel:e:paystubs"}`, "the message is not a completion"},
		{`[1]`, "the message is not a completion"},
		{deep, "the message is nested too deep"},
		{strings.Repeat(`{"a":`, 100_000), "the message is nested too deep"},
		{`{"id":"i","subject":"s","time":"t","data":{"provider":"p","resource":"r","outcome":"o",` +
			`"event":{},"records":` + deep + strings.Repeat("]", 100_000) + `}}`,
			"the message is nested too deep"},
	}
	want := map[string]string{}
	for i, row := range rows {
		w.publishRaw(fmt.Sprintf("e-%d", i), []byte(row.body))
		want[fmt.Sprintf("WAGEWIRE_COMPLETIONS-%d.json", i+1)] = row.body
		want[fmt.Sprintf("WAGEWIRE_COMPLETIONS-%d.why.txt", i+1)] = row.reason + "\n"
	}
	deepRecords := `[{"id":"1","deep":` + deep + strings.Repeat("]", 100_000) + `}]`
	w.publishReference("deep", reference{account: "a-2", text: deepRecords, count: 1})
	want[fmt.Sprintf("WAGEWIRE_COMPLETIONS-%d.why.txt", len(rows)+1)] =
		"a record is nested too deep\n"
	good := w.publish(eventOf("good", "a-9"), `{"id":"1"}`)

	aside := filepath.Join(t.TempDir(), "aside")
	p := w.run(plan{Mode: "catchUp", Aside: aside, Hands: 1})
	p.expect("fault", "pinwheel:deep:paystubs")
	p.expect("store", good)
	p.end()
	files := asideFiles(t, aside)
	for name, text := range want {
		if files[name] != text {
			t.Errorf("%s has %.40q, want %.40q", name, files[name], text)
		}
	}
	if len(files) != len(want)+1 {
		t.Errorf("set aside are %d files", len(files))
	}
	for range len(rows) + 1 {
		if _, err := ends.NextMsgWithContext(t.Context()); err != nil {
			t.Fatalf("the broker was not told that it is for ever: %v", err)
		}
	}
	w.settled()
}

func TestWithoutAPlaceForPoisonNothingIsTerminated(t *testing.T) {
	w := serve(t)
	w.publishRaw("e-1", []byte("no JSON"))
	good := w.publish(eventOf("good", "a-9"), `{"id":"1"}`)
	p := w.run(plan{Mode: "subscribe", Hands: 1})
	p.expect("store", good)
	p.terminate()
	p.end()
	if info := w.durable(); info.NumAckPending != 1 || info.AckFloor.Stream != 0 {
		t.Errorf("the poison is not there any more: %+v", info)
	}
	if log := p.log.String(); !strings.Contains(log, `"level":"error"`) {
		t.Errorf("the kit logged %s", log)
	}
}

func TestACompletionThatAlwaysFailsIsSetAsideAlone(t *testing.T) {
	w := serve(t)
	bad := w.publish(eventOf("bad", "a-1"), `{"id":"1"}`)
	aside := filepath.Join(t.TempDir(), "aside")
	p := w.run(plan{Mode: "catchUp", Aside: aside, AttemptsMax: 3, Asks: true, Hands: 1})
	for delivery := 1; delivery <= 3; delivery++ {
		if got := p.expect("store", bad).Deliveries; got != delivery {
			t.Errorf("it came with delivery %d, want %d", got, delivery)
		}
		if delivery < 3 { // the others go on meanwhile
			e := eventOf(fmt.Sprintf("good-%d", delivery), "a-2")
			good := w.publish(e, `{"id":"1"}`)
			p.answer(bad, "fail")
			p.expect("store", good)
			p.answer(good, "ok")
		}
	}
	p.answer(bad, "fail")
	p.end()
	files := asideFiles(t, aside)
	if len(files) != 2 || !strings.Contains(files["WAGEWIRE_COMPLETIONS-1.json"], bad) {
		t.Errorf("set aside are %v", files)
	}
	const reason = "3 deliveries: the handler threw a RangeError, and took others\n"
	if got := files["WAGEWIRE_COMPLETIONS-1.why.txt"]; got != reason {
		t.Errorf("the reason is %q, want %q", got, reason)
	}
	if log := p.log.String(); strings.Contains(log, "Jane") || strings.Contains(log, "1234") {
		t.Errorf("the log has personal data: %s", log)
	}
}

func TestADatabaseThatIsDownSetsNothingAside(t *testing.T) {
	w := serve(t)
	var ids []string
	for i := range 3 {
		e := eventOf(fmt.Sprintf("e-%d", i), fmt.Sprintf("a-%d", i))
		ids = append(ids, w.publish(e, `{"id":"1"}`))
	}
	aside := filepath.Join(t.TempDir(), "aside")
	p := w.run(plan{Mode: "catchUp", Aside: aside, AttemptsMax: 1, Asks: true})
	failures := map[string]int{}
	pending := ""
	for slices.ContainsFunc(ids, func(id string) bool { return failures[id] < 2 }) {
		id := p.expect("store", "").ID
		if id == pending { // needs no database
			p.answer(id, "ok")
			continue
		}
		failures[id]++
		if len(failures) == len(ids) && pending == "" {
			pending = w.publish(eventOf("pending", "a-9"))
		}
		p.answer(id, "fail")
	}
	stored := map[string]bool{}
	for len(stored) < len(ids) {
		told := p.expect("store", "")
		if told.ID != pending {
			stored[told.ID] = true
		}
		p.answer(told.ID, "ok")
	}
	p.end()
	if files := asideFiles(t, aside); len(files) != 0 {
		t.Errorf("set aside are %v", files)
	}
}

func TestADurableThatStandsStillIsToldOf(t *testing.T) {
	for promise, bodies := range map[string][]string{
		"errors of the handler": nil, "poison without a place for it": {"no JSON", "no JSON"},
	} {
		t.Run(promise, func(t *testing.T) {
			w := serve(t)
			config := w.durable().Config
			config.MaxAckPending = 2
			_, err := w.js.UpdateConsumer(t.Context(), schema.CompletionsStream, config)
			w.must(err)
			if bodies == nil {
				w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
				w.publish(eventOf("e-2", "a-2"), `{"id":"1"}`)
			}
			for i, body := range bodies {
				w.publishRaw(fmt.Sprintf("bad-%d", i), []byte(body))
			}
			p := w.run(plan{Mode: "subscribe", AttemptsMax: 1, Hands: 2, Asks: true})
			if bodies == nil {
				first := p.expect("store", "").ID
				second := p.expect("store", "").ID
				p.answer(first, "fail")
				p.answer(second, "fail")
			}
			streamtest.Eventually(t, "the log says that the durable stands still", func() bool {
				return strings.Contains(p.log.String(), "the durable stands still")
			})
		})
	}
}

func TestWhatAHandlerCallsPoisonIsSetAsideAndCanBeTriedAgain(t *testing.T) {
	w := serve(t)
	bad := w.publish(eventOf("bad", "a-1"), `{"id":"1","amount":`+digits+`}`)
	worse := w.publish(eventOf("worse", "a-2"), `{"id":"2"}`)
	aside := filepath.Join(t.TempDir(), "aside")
	p := w.run(plan{Mode: "catchUp", Aside: aside, Asks: true, Hands: 1})
	p.expect("store", bad)
	p.answer(bad, "poison")
	p.expect("store", worse)
	p.answer(worse, "poison")
	p.end()
	if got := asideFiles(t, aside)["WAGEWIRE_COMPLETIONS-1.why.txt"]; got != "the test says so\n" {
		t.Errorf("the reason is %q", got)
	}

	p = w.run(plan{Mode: "retryAside", Aside: aside, Asks: true})
	if got := p.expect("store", bad); !strings.Contains(got.First, digits) {
		t.Errorf("it came as %s", got.First)
	}
	p.answer(bad, "fail")
	p.expect("store", worse)
	p.answer(worse, "ok")
	if got := p.next(); got.Taken != 1 || got.Left != 1 {
		t.Errorf("taken are %d, left %d", got.Taken, got.Left)
	}
	p.end()
	if files := asideFiles(t, aside); len(files) != 2 {
		t.Errorf("after one was taken there are %v", files)
	}

	p = w.run(plan{Mode: "retryAside", Aside: aside})
	p.expect("store", bad)
	if got := p.next(); got.Taken != 1 || got.Left != 0 {
		t.Errorf("taken are %d, left %d", got.Taken, got.Left)
	}
	p.end()
	if files := asideFiles(t, aside); len(files) != 0 {
		t.Errorf("after both were taken there are %v", files)
	}
}

func TestADeletionIsNeverSetAsideForItsErrors(t *testing.T) {
	w := serve(t)
	removed := w.publish(deletionOf("gone", "l-1"))
	aside := filepath.Join(t.TempDir(), "aside")
	p := w.run(plan{Mode: "catchUp", Aside: aside, AttemptsMax: 1, Asks: true, Hands: 1})
	for delivery := range 3 { // it fails alone each time
		p.expect("remove", removed)
		e := eventOf(fmt.Sprintf("good-%d", delivery), "a-2")
		good := w.publish(e, `{"id":"1"}`)
		p.answer(removed, []string{"fail", "fail", "poison"}[delivery])
		p.expect("store", good)
		p.answer(good, "ok")
	}
	p.expect("remove", removed)
	p.answer(removed, "ok")
	p.end()
	if files := asideFiles(t, aside); len(files) != 0 {
		t.Errorf("set aside are %v", files)
	}
	w.settled()
}

func TestWhatIsAsideOfADeletedAccountIsRemovedUnseen(t *testing.T) {
	w := serve(t)
	gone := w.publish(eventOf("gone", "an id with spaces"), `{"id":"1"}`)
	kept := w.publish(eventOf("kept", "a-1"), `{"id":"1"}`)
	aside := filepath.Join(t.TempDir(), "aside")
	p := w.run(plan{Mode: "catchUp", Aside: aside, Asks: true, Hands: 1})
	for _, id := range []string{gone, kept} {
		p.expect("store", id)
		p.answer(id, "poison")
	}
	p.end()
	state, err := os.ReadFile("../../testdata/account.deleted.golden.json")
	w.must(err)
	subject := schema.AccountSubject(schema.Pinwheel, schema.Token("an id with spaces"))
	_, err = w.js.Publish(t.Context(), subject, state)
	w.must(err)

	p = w.run(plan{Mode: "retryAside", Aside: aside, Asks: true})
	p.expect("store", kept)
	p.answer(kept, "fail")
	if got := p.next(); got.Taken != 0 || got.Left != 1 {
		t.Errorf("taken are %d, left %d", got.Taken, got.Left)
	}
	p.end()
	files := asideFiles(t, aside)
	if len(files) != 2 || !strings.Contains(files["WAGEWIRE_COMPLETIONS-2.json"], kept) {
		t.Errorf("after the account was deleted there are %v", files)
	}
}

func TestAStopFinishesWhatIsInHandAndGivesTheRestBack(t *testing.T) {
	w := serve(t)
	first := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	second := w.publish(eventOf("e-2", "a-1"), `{"id":"2"}`)
	p := w.run(plan{Mode: "subscribe", Asks: true, Hands: 2})
	p.expect("store", first)
	streamtest.Eventually(t, "the second waits for the account", func() bool {
		return w.durable().NumAckPending == 2
	})
	p.terminate()

	// The other program gets the second at once, while the first is still in hand.
	other := w.run(plan{Mode: "subscribe"})
	if got := other.expect("store", second); got.Deliveries != 2 {
		t.Errorf("it came with delivery %d", got.Deliveries)
	}
	third := w.publish(eventOf("e-3", "a-2"), `{"id":"3"}`)
	other.expect("store", third)
	p.answer(first, "ok")
	p.end()
	w.settled()
	other.terminate()
	other.end()
}

func TestAnIdleProgramStopsAtOnce(t *testing.T) {
	w := serve(t)
	p := w.run(plan{Mode: "subscribe"})
	streamtest.Eventually(t, "the hands wait at the broker", func() bool {
		return w.durable().NumWaiting == 4
	})
	p.terminate()
	p.end()
	streamtest.Eventually(t, "no request is left", func() bool {
		return w.durable().NumWaiting == 0
	})
	id := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	p = w.run(plan{Mode: "catchUp"})
	if got := p.expect("store", id); got.Deliveries != 1 {
		t.Errorf("it came with delivery %d", got.Deliveries)
	}
	p.end()
}

func TestWhatWasOnItsWayToAStoppingProgramIsGivenBackAtOnce(t *testing.T) {
	w := serve(t)
	w.leaseFor(time.Hour) // nothing comes again by itself
	g := openGate(t, w.url)
	p := w.run(plan{Mode: "subscribe"}, "NATS_URL="+g.url)
	streamtest.Eventually(t, "the hands wait at the broker", func() bool {
		return w.durable().NumWaiting == 4
	})
	g.answers.Lock()
	id := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	streamtest.Eventually(t, "the completion was sent to the program", func() bool {
		return w.durable().NumAckPending == 1
	})
	p.terminate()
	select {
	case <-g.unsubscribed:
	case <-streamtest.Late(t):
		t.Fatal("the program does not take back its requests")
	}
	g.answers.Unlock()
	p.end()

	other := w.run(plan{Mode: "catchUp"})
	if got := other.expect("store", id); got.Deliveries != 2 {
		t.Errorf("it came with delivery %d", got.Deliveries)
	}
	other.end()
}

func TestAProgramThatEndsTakesNothingWithIt(t *testing.T) {
	w := serve(t)
	w.leaseFor(time.Hour) // nothing comes again by itself
	for i := range 5 {
		p := w.run(plan{Mode: "catchUp", Hands: 100}) // its requests end when they have begun
		p.end()
		id := w.publish(eventOf(fmt.Sprintf("e-%d", i), "a-1"), `{"id":"1"}`)
		p = w.run(plan{Mode: "catchUp", Hands: 1})
		if got := p.expect("store", id); got.Deliveries != 1 {
			t.Errorf("it came with delivery %d", got.Deliveries)
		}
		p.end()
	}
}

// leaseFor makes the broker deliver again after another time than a minute.
func (w *world) leaseFor(lease time.Duration) {
	w.t.Helper()
	config := w.durable().Config
	config.AckWait = lease
	_, err := w.js.UpdateConsumer(w.t.Context(), schema.CompletionsStream, config)
	w.must(err)
}

func TestWhatAKilledProgramHadInHandComesAgain(t *testing.T) {
	w := serve(t)
	w.leaseFor(time.Second)
	id := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	p := w.run(plan{Mode: "subscribe", Asks: true})
	p.expect("store", id)
	p.kill()
	p = w.run(plan{Mode: "catchUp"})
	p.expect("store", id)
	p.end()
}

func TestTheLeaseIsRenewedEvery20Seconds(t *testing.T) {
	w := serve(t)
	acks, err := w.nats.SubscribeSync("$JS.ACK.>")
	w.must(err)
	w.must(w.nats.Flush())
	id := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	p := w.run(plan{Mode: "subscribe", Asks: true, HasClock: true})
	p.expect("store", id)
	p.write(map[string]any{"tick": 20_000})
	for _, want := range []string{"+WPI", "+ACK"} {
		ack, err := acks.NextMsgWithContext(t.Context())
		w.must(err)
		if string(ack.Data) != want {
			t.Errorf("the broker was told %s, want %s", ack.Data, want)
		}
		p.answer(id, "ok")
	}
	w.settled()
}

func TestTwoProgramsShareADurable(t *testing.T) {
	w := serve(t)
	one := w.run(plan{Mode: "subscribe", Asks: true, Hands: 1})
	two := w.run(plan{Mode: "subscribe", Asks: true, Hands: 1})
	streamtest.Eventually(t, "both wait at the broker", func() bool {
		return w.durable().NumWaiting == 2
	})
	came := map[string]int{}
	for i := range 3 {
		w.publish(eventOf(fmt.Sprintf("e-%da", i), fmt.Sprintf("a-%da", i)), `{"id":"1"}`)
		w.publish(eventOf(fmt.Sprintf("e-%db", i), fmt.Sprintf("a-%db", i)), `{"id":"1"}`)
		first := one.expect("store", "").ID
		second := two.expect("store", "").ID
		came[first]++
		came[second]++
		one.answer(first, "ok")
		two.answer(second, "ok")
		w.settled()
	}
	if len(came) != 6 {
		t.Errorf("the programs got %v, want each completion once", came)
	}
}

func TestCompletionsOfAnAccountComeOneByOne(t *testing.T) {
	w := serve(t)
	first := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	second := w.publish(eventOf("e-2", "a-1"), `{"id":"2"}`)
	other := w.publish(eventOf("e-3", "a-2"), `{"id":"3"}`)
	p := w.run(plan{Mode: "catchUp", Asks: true})
	came := []string{p.expect("store", "").ID, p.expect("store", "").ID}
	slices.Sort(came)
	if diff := cmp.Diff([]string{first, other}, came); diff != "" {
		t.Fatalf("at the same time came (-want +got):\n%s", diff)
	}
	p.answer(first, "ok")
	p.expect("store", second)
	p.answer(second, "ok")
	p.answer(other, "ok")
	p.end()
}

func TestAProgramThatWasAwayGoesOnWhereItStopped(t *testing.T) {
	w := serve(t)
	first := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	p := w.run(plan{Mode: "catchUp"})
	p.expect("store", first)
	p.end()
	var missed []string
	for i := range 20 { // a completion for each day of its absence
		e := eventOf(fmt.Sprintf("day-%02d", i), "a-1")
		e.OccurredAt = noon().AddDate(0, 0, i)
		missed = append(missed, w.publish(e, `{"id":"1"}`))
	}
	p = w.run(plan{Mode: "catchUp", Hands: 1})
	for _, id := range missed {
		p.expect("store", id)
	}
	p.end()
}

func TestWhatWasAcknowledgedDoesNotComeAgainButToANewDurable(t *testing.T) {
	w := serve(t)
	lost := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	for range 2 { // the program stores nothing, and says that it did
		p := w.run(plan{Mode: "catchUp"})
		if lost != "" {
			p.expect("store", lost)
		}
		p.end()
		lost = ""
	}
	w.makeDurable("lending_since", stream.Reading{Since: noon()})
	p := w.run(plan{Mode: "catchUp", Durable: "lending_since"})
	p.expect("store", "pinwheel:e-1:paystubs")
	p.end()
}

func TestADurableThatIsDeletedEndsTheProgram(t *testing.T) {
	w := serve(t)
	p := w.run(plan{Mode: "subscribe"})
	streamtest.Eventually(t, "the hands wait at the broker", func() bool {
		return w.durable().NumWaiting == 4
	})
	w.must(w.js.DeleteConsumer(t.Context(), schema.CompletionsStream, "lending"))
	got := p.expect("error", "")
	if got.Name != "NoDurable" || got.Message != "durable lending was deleted" {
		t.Errorf("the error is %s: %s", got.Name, got.Message)
	}
}

func TestABrokerThatWasAwayIsNoError(t *testing.T) {
	w := serve(t)
	first := w.publish(eventOf("e-1", "a-1"), `{"id":"1"}`)
	p := w.run(plan{Mode: "subscribe", Hands: 1})
	p.expect("store", first)
	w.settled()
	w.stop()
	streamtest.Eventually(t, "the kit sees that the broker is away", func() bool {
		return strings.Contains(p.log.String(), "the broker is away")
	})
	w.start()
	streamtest.Eventually(t, "the test is connected again", w.nats.IsConnected)
	second := eventOf("e-2", "a-1")
	streamtest.Eventually(t, "the stream is there", func() bool {
		_, err := w.js.Stream(t.Context(), schema.CompletionsStream)
		return err == nil
	})
	p.expect("store", w.publish(second, `{"id":"1"}`))
	p.terminate()
	p.end()
}

func TestAnAccountsLastStateComesByItsID(t *testing.T) {
	w := serve(t)
	state, err := os.ReadFile("../../testdata/account.ready.golden.json")
	w.must(err)
	subject := schema.AccountSubject(schema.Pinwheel, schema.Token("an id with spaces"))
	_, err = w.js.Publish(t.Context(), subject, state)
	w.must(err)
	p := w.run(plan{Mode: "account", Account: "an id with spaces"})
	if got := p.next().State; got == nil || got.Data.Status != schema.AccountReady {
		t.Errorf("the state is %+v", got)
	}
	p.end()
	p = w.run(plan{Mode: "account", Account: "unknown"})
	if got := p.next().State; got != nil {
		t.Errorf("an account without a state has %+v", got)
	}
	p.end()
}

func TestAWrongConfigurationIsAClearError(t *testing.T) {
	w := serve(t)
	w.makeKey("other.nk")
	other := filepath.Join(w.dir, "other.nk")
	broken := filepath.Join(w.dir, "broken.nk")
	w.must(os.WriteFile(broken, []byte("SUABC"), 0o600))
	for _, row := range []struct {
		promise string
		env     []string
		plan    plan
		want    string
	}{
		{"the seed of another team", []string{"NATS_SEED_FILE=" + other}, plan{},
			"NATS_SEED_FILE: the broker refuses the key"},
		{"no seed in the file", []string{"NATS_SEED_FILE=" + broken}, plan{},
			"NATS_SEED_FILE: " + broken + " holds no seed of a team's key"},
		{"no such file", []string{"NATS_SEED_FILE=/nowhere.nk"}, plan{},
			"NATS_SEED_FILE: /nowhere.nk cannot be read: ENOENT"},
		{"no such certificates", []string{"NATS_CA_FILE=/nowhere.pem"}, plan{},
			"NATS_CA_FILE: /nowhere.pem cannot be read: ENOENT"},
		{"no broker", []string{"NATS_URL=nats://127.0.0.1:1"}, plan{},
			"NATS_URL: no broker answers there: "},
		{"a broker without TLS", []string{"NATS_URL=" + strings.Replace(w.url, "nats:", "tls:", 1)},
			plan{}, "NATS_URL: no broker answers there: "},
		{"no URL", []string{"NATS_URL=nats://lending:s3cret@[bad"}, plan{}, "NATS_URL is not a URL"},
		{"another team's durable", nil, plan{Team: "billing"},
			"durable billing: no such durable for the key of this program"},
		{"a durable that no team has", nil, plan{Durable: "a.b"},
			`"a.b" is not the name of a durable`},
		{"too many hands", nil, plan{Hands: 101}, "subscription.hands is 101: want 1 to 100"},
		{"a misspelt resource", nil, plan{Resources: []string{"paystubs", "incomes"}},
			`subscription.resources has "incomes": want some of employment, identity, income, ` +
				`paystubs, shifts, verification_reports, link, notices`},
		{"a resource that the team was not granted", nil, plan{Resources: []string{"bank_accounts"}},
			"durable lending does not deliver bank_accounts: the operator grants it with " +
				"`wagewire team add lending --resources income,paystubs,bank_accounts`"},
		{"a word in place of resources", nil, plan{Resources: "paystubs"},
			"subscription.resources is not a list of texts"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			row.plan.Mode = "subscribe"
			got := w.run(row.plan, row.env...).expect("error", "")
			if !strings.HasPrefix(got.Message, row.want) {
				t.Errorf("the error is %q, want %q", got.Message, row.want)
			}
			if strings.Contains(got.All, "s3cret") {
				t.Errorf("the error has a password: %s", got.All)
			}
		})
	}
}

// The kit orders completions of earlier releases and names accounts as the contract does.
func TestOrdersAndTokensAreThoseOfTheContract(t *testing.T) {
	built(t)
	paths, err := filepath.Glob("../../testdata/former/completion.*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("there are no completions of earlier releases")
	}
	var messages [][]byte
	for _, path := range append(paths, "../../testdata/completion.succeeded.golden.json") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, text)
	}
	for _, at := range []string{
		"2026-01-12T02:36:01Z", "2026-01-12T02:36:01.5+05:30", "2026-12-31T23:59:59.123456789-01:00",
		"0000-01-01T00:00:00+01:00", "0050-06-01T00:00:00.000000001Z", "9999-12-31T23:59:59-01:00",
	} {
		messages = append(messages, bytes.ReplaceAll(messages[0],
			[]byte(`"occurred_at": "2026-01-12T02:36:01.287148Z"`), []byte(`"occurred_at": "`+at+`"`)))
	}
	ids := []string{"a-1", "_", "h_x", "", "an id with spaces", "é", strings.Repeat("a", 64),
		strings.Repeat("a", 65)}
	p := start(t, plan{Mode: "orders", Messages: messages, IDs: ids})
	for _, message := range messages {
		var c schema.Completion
		if err := json.Unmarshal(message, &c); err != nil {
			t.Fatal(err)
		}
		if got := p.next().Order; got != c.Order() {
			t.Errorf("the order of %s is %q, want %q", c.ID, got, c.Order())
		}
	}
	for _, id := range ids {
		if got := p.next().Order; got != schema.Token(id) {
			t.Errorf("the token of %q is %s, want %s", id, got, schema.Token(id))
		}
	}
	p.end()
}

func TestLargeRecordsNeedLittleMemory(t *testing.T) {
	w := serve(t)
	e := eventOf("large", "a-1")
	writer, err := w.conn.NewRecordsWriter(t.Context(), e, schema.Paystubs)
	w.must(err)
	digest := sha256.New()
	count := 0
	for size := 0; size < *megabytes<<20; count++ {
		record := fmt.Sprintf(`{"id":"p-%d","amount":%s,"text":%q}`, count, digits,
			strings.Repeat(`]},{["`, 150))
		w.must(writer.Add(t.Context(), json.RawMessage(record)))
		digest.Write([]byte(record + "\n"))
		size += len(record)
	}
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, noon())
	_, err = w.conn.PublishWithRecords(t.Context(), e, c, writer)
	w.must(err)

	p := w.run(plan{Mode: "catchUp", Measures: count / 10})
	got := p.expect("store", c.ID)
	if got.Count != count || got.SHA256 != hex.EncodeToString(digest.Sum(nil)) {
		t.Errorf("%d records came, with another hash or not: want %d", got.Count, count)
	}
	const memoryMax = 14 << 20
	if got.Memory == 0 || got.Memory > memoryMax {
		t.Errorf("%d MB of records needed %d bytes of memory, want at most %d", *megabytes,
			got.Memory, memoryMax)
	}
	t.Logf("%d MB of records needed %.1f MB of memory", *megabytes, float64(got.Memory)/(1<<20))
	p.end()
}
