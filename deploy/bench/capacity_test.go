package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const day = 24 * time.Hour

// twoPeople left 2 KiB of events, 4 completions in 64 KiB, and 8 KiB of large records.
func twoPeople() capacity {
	return capacity{
		shape: shape{12, 0}, people: 2, calls: 5, disk: 100 << 10,
		levels: []stream.Level{
			{Name: schema.EventsStream, Messages: 6, Bytes: 2 << 10},
			{Name: schema.CompletionsStream, Messages: 4, Bytes: 64 << 10},
			{Name: schema.AccountsStream, Messages: 2, Bytes: 4 << 10},
			{Name: jetstreamBucket(schema.RecordsBucket), Messages: 2, Bytes: 8 << 10},
		},
		memoryBefore: 20 << 20, memoryAfter: 21 << 20, memoryPeak: 40 << 20,
	}
}

func TestAStreamHoldsThePeopleOfItsAge(t *testing.T) {
	topology := schema.Topology{
		Streams: []schema.Stream{
			{Name: schema.EventsStream, MaxBytes: 1 << 20, MaxAge: 16 * day},
			{Name: schema.CompletionsStream, MaxBytes: 1 << 20, MaxAge: 8 * day},
			{Name: schema.AccountsStream, MaxBytes: 1 << 20},
			{Name: schema.PausesStream, MaxAge: day},
			{Name: schema.QuarantineStream, MaxBytes: 1 << 20, MaxAge: day},
		},
		Records: schema.Stream{Name: schema.RecordsBucket, MaxBytes: 1 << 20, MaxAge: 64 * day},
	}
	got := twoPeople().bounds(topology)
	want := []bound{
		{64, schema.EventsStream},     // 1 KiB each: 1024 people in 16 days
		{4, schema.CompletionsStream}, // 32 KiB each: 32 people in 8 days
		{4, schema.RecordsBucket},     // 4 KiB each: 256 people in 64 days
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(bound{})); diff != "" {
		t.Errorf("bounds (-want +got):\n%s", diff)
	}
	if first := narrowest(got); first.stream != schema.CompletionsStream {
		t.Errorf("%s is full first", first.stream)
	}
}

func TestTheTableIsForOnePerson(t *testing.T) {
	var text strings.Builder
	reportCapacity(&text, []capacity{twoPeople()})
	const want = "| one person | 12 paystubs, 0 shifts |\n" +
		"| --- | --- |\n" +
		"| events | 3.0 |\n" +
		"| completions | 2.0 |\n" +
		"| calls of the provider | 2.5 |\n" +
		"| files of the broker | 50 KiB |\n" +
		"| of these, events | 1 KiB |\n" +
		"| completions | 32 KiB |\n" +
		"| large records | 4 KiB |\n" +
		"| state of the account | 2 KiB |\n" +
		"| people a day in the default sizes | 6242, then `WAGEWIRE_COMPLETIONS` is full |\n" +
		"| memory of the broker for 10,000 stored completions | 2500.0 MiB |\n" +
		"| most memory of the broker during the load | 40.0 MiB |\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyAWholeLoadCounts(t *testing.T) {
	for promise, row := range map[string]struct {
		levels []stream.Level
		want   string
	}{
		"every account has a state": {
			[]stream.Level{{Name: schema.AccountsStream, Messages: 2}}, "",
		},
		"an account without a state": {
			[]stream.Level{{Name: schema.AccountsStream, Messages: 1}}, "1 accounts have a state, want 2",
		},
		"a dead letter": {
			[]stream.Level{{Name: schema.DeadLettersStream, Messages: 1}}, "want none",
		},
		"a webhook in quarantine": {
			[]stream.Level{{Name: schema.QuarantineStream, Messages: 1}}, "want none",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got := ""
			if err := checkComplete(row.levels, 2); err != nil {
				got = err.Error()
			}
			if row.want == "" && got != "" || !strings.Contains(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestFilesOfTheBrokerAreCounted(t *testing.T) {
	dir := t.TempDir()
	for file, size := range map[string]int{
		filepath.Join(jetStreamDir, "a", "1.blk"): 10, filepath.Join(jetStreamDir, "2.blk"): 5,
		"nats-server.log": 1000,
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if size, err := sizeOf(dir); size != 15 || err != nil {
		t.Errorf("%d bytes, %v, want 15", size, err)
	}
}
