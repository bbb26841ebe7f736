package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
)

var recordsMB = flag.Int("records-mb", 20, "how many megabytes of records a completion has")

// reference stores the chunks of paystubs of account a-1 and returns the reference.
func (i *installation) reference(t testing.TB, count int, chunks ...string) schema.RecordsRef {
	t.Helper()
	ref := schema.RecordsRef{
		Bucket: schema.RecordsBucket, Name: "pinwheel/a-1/paystubs/e-1", Chunks: len(chunks),
		Subject: "$O." + schema.RecordsBucket + ".C.pinwheel.paystubs.a-1.random", Count: count,
	}
	for n, chunk := range chunks {
		i.send(t, ref.ChunkSubject(n+1), chunk)
	}
	text := strings.Join(chunks, "")
	sum := sha256.Sum256([]byte(text))
	ref.SHA256 = hex.EncodeToString(sum[:])
	ref.Bytes = int64(len(text))
	return ref
}

// refer stores a completion with the reference.
func (i *installation) refer(t testing.TB, event string, ref schema.RecordsRef) {
	t.Helper()
	e := paystubsOf("a-1", event)
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, at)
	c.Data.AccountID = &e.AccountID
	c.Data.Records = nil
	c.Data.RecordsRef = &ref
	_, err := i.PublishCompletion(t.Context(), e, c)
	must(t, err)
}

func TestNoRecordComesBeforeAllOfThemAreRight(t *testing.T) {
	t.Parallel()
	right := []string{`[{"id":"p-1","n":`, `12345678901234567890.10},{"id":"p-2"}]`}
	deep := "[" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "]"
	for _, row := range []struct {
		promise string
		chunks  []string
		change  func(*schema.RecordsRef)
		want    error
		reason  string
	}{
		{"a chunk is gone", right, func(r *schema.RecordsRef) { r.Chunks = 3 },
			client.ErrRecordsGone, "1 deliveries: the records are gone"},
		{"all are gone", right, func(r *schema.RecordsRef) { r.Subject += "s" },
			client.ErrRecordsGone, "1 deliveries: the records are gone"},
		{"an earlier release has stored them", right,
			func(r *schema.RecordsRef) { r.Subject = "" },
			client.ErrRecordsGone, "1 deliveries: the records are gone"},
		{"the hash differs", right, func(r *schema.RecordsRef) { r.SHA256 = strings.Repeat("0", 64) },
			client.ErrRecordsChanged, "1 deliveries: the records are not those of the completion"},
		{"the hash differs, and they are no JSON", []string{"["},
			func(r *schema.RecordsRef) { r.SHA256 = strings.Repeat("0", 64) },
			client.ErrRecordsChanged, "1 deliveries: the records are not those of the completion"},
		{"there are fewer bytes", right, func(r *schema.RecordsRef) { r.Bytes++ },
			client.ErrRecordsChanged, "1 deliveries: the records are not those of the completion"},
		{"there are more bytes", right, func(r *schema.RecordsRef) { r.Bytes-- },
			client.ErrRecordsChanged, "1 deliveries: the records are not those of the completion"},
		{"there are more records", right, func(r *schema.RecordsRef) { r.Count-- },
			client.ErrRecordsChanged, "1 deliveries: the records are not those of the completion"},
		{"they are no array", []string{`{"id":"p-1"}`}, func(*schema.RecordsRef) {}, nil,
			"the records are not a JSON array"},
		{"the array has no end", []string{`[{"id":"p-1"}`}, func(*schema.RecordsRef) {}, nil,
			"the records are not a JSON array"},
		{"one is no JSON", []string{`[{"id":"p-1"},{"id":}]`}, func(*schema.RecordsRef) {}, nil,
			"record 2: not JSON"},
		{"one has 100,000 levels", []string{deep[:100_000], deep[100_000:]},
			func(*schema.RecordsRef) {}, nil, "a record: nested too deeply"},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			i := serve(t)
			ref := i.reference(t, 2, row.chunks...)
			row.change(&ref)
			i.refer(t, "e-1", ref)
			handed := 0
			var got error
			p := newProgram()
			p.OnStore = func(ctx context.Context, c *client.Completion) error {
				for _, err := range c.Records(ctx) {
					if err != nil {
						got = err
						return fmt.Errorf("store: %w", err)
					}
					handed++
				}
				return nil
			}
			var aside shelf
			must(t, i.connect(t).CatchUp(t.Context(),
				client.Subscription{Aside: aside.keep, AttemptsMax: 1}, p))
			if handed != 0 || got == nil || row.want != nil && !errors.Is(got, row.want) {
				t.Errorf("%d records came before %v", handed, got)
			}
			if reasons := aside.reasons(); !slices.Equal(reasons, []string{row.reason}) {
				t.Errorf("reasons %q, want %q", reasons, row.reason)
			}
		})
	}
}

func TestRecordsThatComeLateAreTakenLate(t *testing.T) {
	inBubble(t, func(t *testing.T, i *installation) {
		const text = `[{"id":"p-1"}]`
		sum := sha256.Sum256([]byte(text))
		ref := schema.RecordsRef{
			Subject: "$O." + schema.RecordsBucket + ".C.pinwheel.paystubs.a-1.random", Chunks: 1,
			SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(text)), Count: 1,
		}
		i.refer(t, "e-1", ref)
		deliveries := 0
		p := newProgram()
		store := p.OnStore
		p.OnStore = func(ctx context.Context, c *client.Completion) error {
			deliveries++
			if deliveries == 3 { // the replica has the chunk now
				i.send(t, ref.ChunkSubject(1), text)
			}
			return store(ctx, c)
		}
		must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
		p.expect(t, "the program", `store e-1 {"id":"p-1"}`)
	})
}

func TestRecordsOfAResourceThatTheTeamDoesNotReadAreARightToAskFor(t *testing.T) {
	t.Parallel()
	i := serve(t)
	ref := i.reference(t, 1, `[{"id":"p-1"}]`)
	ref.Subject = strings.Replace(ref.Subject, "paystubs", "identity", 1)
	i.refer(t, "e-1", ref)
	p := newProgram()
	var got error
	p.OnStore = func(ctx context.Context, c *client.Completion) error {
		for _, err := range c.Records(ctx) {
			got = err
		}
		return nil
	}
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
	if got == nil || !strings.Contains(got.Error(), "ask the operator") {
		t.Errorf("got %v", got)
	}
}

func TestRecordsLargerThanTheMemoryForThemComeFromTheStoreTwice(t *testing.T) {
	t.Parallel()
	i := serve(t)
	record := `{"id":"p","text":"` + strings.Repeat("x", 1<<20) + `"}`
	var records []string
	for range client.KeptBytesMax>>20 + 1 {
		records = append(records, record)
	}
	i.complete(t, "a-1", "e-1", records...)
	p := newProgram()
	must(t, i.connect(t).CatchUp(t.Context(), client.Subscription{}, p))
	p.expect(t, "the program", "store e-1 "+strings.Join(records, " "))
}

// bigRecords is the text of many records, made chunk by chunk.
type bigRecords struct{ chunks, perChunk int }

func (b bigRecords) chunk(n int) []byte {
	var text bytes.Buffer
	for k := range b.perChunk {
		before := ","
		if n == 1 && k == 0 {
			before = "["
		}
		fmt.Fprintf(&text, `%s{"id":"p-%d-%d","text":"%0200d"}`, before, n, k, k)
	}
	if n == b.chunks {
		text.WriteByte(']')
	}
	return text.Bytes()
}

func (b bigRecords) fetch(_ context.Context, subject string) ([]byte, error) {
	n, err := strconv.Atoi(schema.LastToken(subject))
	return b.chunk(n), err
}

func (b bigRecords) reference() schema.RecordsRef {
	ref := schema.RecordsRef{Subject: "s", Chunks: b.chunks, Count: b.chunks * b.perChunk}
	digest := sha256.New()
	for n := 1; n <= b.chunks; n++ {
		chunk := b.chunk(n)
		digest.Write(chunk)
		ref.Bytes += int64(len(chunk))
	}
	ref.SHA256 = hex.EncodeToString(digest.Sum(nil))
	return ref
}

// The test is not parallel, because it measures the memory of the process.
func TestTheMemoryDoesNotGrowWithTheNumberOfRecords(t *testing.T) {
	const perChunk = 500 // about 128 KiB
	const grownMax = 2 << 20
	big := bigRecords{chunks: *recordsMB << 20 / (128 << 10), perChunk: perChunk}
	c := client.NewStored(big.reference(), big.fetch)
	before := live()
	grown := uint64(0)
	count := 0
	for record, err := range c.Records(t.Context()) {
		must(t, err)
		count++
		if count%(10*perChunk) == 0 {
			grown = max(grown, live()-min(live(), before))
		}
		if !json.Valid(record) {
			t.Fatalf("record %d is no JSON", count)
		}
	}
	if count != big.chunks*perChunk || grown > grownMax {
		t.Errorf("%d records, and the memory grew by %d bytes", count, grown)
	}
}

// live is the memory that is in use, in bytes.
func live() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestALoopOverTheRecordsMayEndEarlyAndRunAgain(t *testing.T) {
	t.Parallel()
	for _, chunks := range []int{2, client.KeptBytesMax>>17 + 2} {
		big := bigRecords{chunks: chunks, perChunk: 700}
		c := client.NewStored(big.reference(), big.fetch)
		for range 2 {
			var kept []json.RawMessage
			for record, err := range c.Records(t.Context()) {
				must(t, err)
				kept = append(kept, record)
				if len(kept) == 3 {
					break
				}
			}
			for n, record := range kept {
				if !strings.HasPrefix(string(record), fmt.Sprintf(`{"id":"p-1-%d"`, n)) {
					t.Errorf("%d chunks: record %d is %.20s", chunks, n, record)
				}
			}
		}
	}
}

func TestAnArrayIsCutIntoItsElementsWhereverItsTextIsCut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[]`:           nil,
		" [ \n ] ":     nil,
		`[{"a":1}]`:    {`{"a":1}`},
		`[ {} , {} ]`:  {`{}`, `{}`},
		`[1.10,[],""]`: {`1.10`, `[]`, `""`},
		`[{"a":"]},[\\\"{"},{"b":[[1,2],{"c":"\\"}]}]`: {
			`{"a":"]},[\\\"{"}`, `{"b":[[1,2],{"c":"\\"}]}`,
		},
	} {
		for cut := range len(text) + 1 {
			got, err := client.Split([]byte(text), cut)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s cut at %d: %q, %v", text, cut, got, err)
			}
		}
	}
	for _, text := range []string{
		``, `{}`, `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1]]`, `[1][2]`, `[1}`, `[{]`, `[{]}]`, `["]`,
		`[1 2]`, `x[]`, `[]x`, `[1,,2]`, `[{"a":1]`,
	} {
		for cut := range len(text) + 1 {
			if got, err := client.Split([]byte(text), cut); err == nil {
				t.Errorf("%s cut at %d: %q", text, cut, got)
			}
		}
	}
}
