package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/api"
)

const recordsStream = "OBJ_" + schema.RecordsBucket

// recordOf is a record of about so many bytes.
func recordOf(id, bytes int) api.Record {
	text := fmt.Sprintf(`{"id":"%d","text":"%s"}`, id, strings.Repeat("x", bytes))
	return api.Record{ID: strconv.Itoa(id), JSON: json.RawMessage(text)}
}

func idOf(record json.RawMessage) (string, error) {
	var known struct{ ID string }
	err := json.Unmarshal(record, &known)
	return known.ID, err
}

// stored counts the messages in the object store.
func (b *bench) stored() uint64 {
	b.Helper()
	s, err := b.js.Stream(b.Context(), recordsStream)
	if err != nil {
		b.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecordsOfAnAttempt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise string
		// attempt adds records, and ends as it likes.
		attempt func(*testing.T, *bench, *Records, schema.Event)
		// left is whether the object store has anything when the attempt is over.
		left bool
	}{
		{"a few stay in memory", func(t *testing.T, b *bench, r *Records, _ schema.Event) {
			must(t, r.Add(t.Context(), recordOf(1, 100)))
			if n := b.stored(); n != 0 || r.Count() != 1 || len(r.InMemory()) != 1 {
				t.Errorf("%d messages stored, %d records", n, r.Count())
			}
		}, false},
		{"many are stored before the attempt ends, and deleted if it ends without a completion",
			func(t *testing.T, b *bench, r *Records, _ schema.Event) {
				for id := range 20 {
					must(t, r.Add(t.Context(), recordOf(id, 100<<10)))
				}
				if n := b.stored(); n < 10 || r.Count() != 20 || r.InMemory() != nil {
					t.Errorf("%d messages stored, %d records", n, r.Count())
				}
			}, false},
		{"many belong to the completion", func(t *testing.T, b *bench, r *Records, e schema.Event) {
			for id := range 20 {
				must(t, r.Add(t.Context(), recordOf(id, 100<<10)))
			}
			c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, e.ReceivedAt)
			r.put(&c)
			if c.CountRecords() != 20 {
				t.Errorf("the completion has %d records", c.CountRecords())
			}
			patient := streamtest.ConnectPatiently(t, b.url)
			if stored, err := r.publish(t.Context(), patient, e, c); !stored || err != nil {
				t.Errorf("publish = %v, %v", stored, err)
			}
		}, true},
		{"none are saved without a mark", func(t *testing.T, _ *bench, r *Records, _ schema.Event) {
			must(t, r.Add(t.Context(), recordOf(1, 100)))
			if ref, err := r.Save(t.Context()); ref != nil || err != nil {
				t.Errorf("Save = %v, %v", ref, err)
			}
		}, false},
		{"none are saved if one is too large to be read back",
			func(t *testing.T, _ *bench, r *Records, _ schema.Event) {
				must(t, r.Add(t.Context(), recordOf(1, savedRecordMax)))
				r.Mark("mark")
				if ref, err := r.Save(t.Context()); ref != nil || err != nil {
					t.Errorf("Save = %v, %v", ref, err)
				}
			}, false},
		{"what is saved and not handed on is deleted",
			func(t *testing.T, _ *bench, r *Records, _ schema.Event) {
				must(t, r.Add(t.Context(), recordOf(1, 100)))
				r.Mark("mark")
				if ref, err := r.Save(t.Context()); ref == nil || err != nil {
					t.Errorf("Save = %v, %v", ref, err)
				}
			}, false},
		{"what is handed on stays", func(t *testing.T, _ *bench, r *Records, _ schema.Event) {
			must(t, r.Add(t.Context(), recordOf(1, 100)))
			r.Mark("mark")
			if ref, err := r.Save(t.Context()); ref == nil || err != nil {
				t.Errorf("Save = %v, %v", ref, err)
			}
			r.Keep()
		}, true},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			e := sample(t, schema.Pinwheel, "paystubs.added", "records")
			r := NewRecords(b.conn, e, schema.Paystubs, nil)
			row.attempt(t, b, r, e)
			must(t, r.Close(t.Context()))
			if n := b.stored(); (n > 0) != row.left {
				t.Errorf("%d messages are left, want some: %v", n, row.left)
			}
		})
	}
}

// The next attempt begins with the saved records. Its end decides about them.
func TestSavedRecords(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		promise string
		attempt func(*testing.T, *bench, *Records, schema.Event)
		// objects is how many objects are left at the end.
		objects int
	}{
		{"are deleted when the completion is stored",
			func(t *testing.T, b *bench, r *Records, e schema.Event) {
				c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, e.ReceivedAt)
				r.put(&c)
				if c.CountRecords() != 3 {
					t.Errorf("the completion has %d records", c.CountRecords())
				}
				_, err := r.publish(t.Context(), b.conn, e, c)
				must(t, err)
			}, 0},
		{"are kept if the attempt adds nothing",
			func(t *testing.T, _ *bench, r *Records, _ schema.Event) {
				ref, err := r.Save(t.Context())
				if err != nil || *ref != *r.progress {
					t.Errorf("Save = %v, %v; want the same as before", ref, err)
				}
				r.Keep()
			}, 1},
		{"are replaced if the attempt adds something",
			func(t *testing.T, _ *bench, r *Records, _ schema.Event) {
				must(t, r.Add(t.Context(), recordOf(3, 100)))
				r.Mark("more")
				ref, err := r.Save(t.Context())
				if err != nil || ref.Count != 4 {
					t.Errorf("Save = %v, %v", ref, err)
				}
				r.Keep()
			}, 1},
		{"are kept if the new ones are not handed on",
			func(t *testing.T, _ *bench, r *Records, _ schema.Event) {
				must(t, r.Add(t.Context(), recordOf(3, 100)))
				r.Mark("more")
				_, err := r.Save(t.Context())
				must(t, err)
			}, 1},
		{"are kept if the attempt just ends", func(*testing.T, *bench, *Records, schema.Event) {}, 1},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			e := sample(t, schema.Pinwheel, "paystubs.added", "records")
			first := NewRecords(b.conn, e, schema.Paystubs, nil)
			for id := range 3 {
				must(t, first.Add(t.Context(), recordOf(id, 100)))
			}
			first.Mark("mark")
			ref, err := first.Save(t.Context())
			must(t, err)
			first.Keep()
			must(t, first.Close(t.Context()))

			next := NewRecords(b.conn, e, schema.Paystubs, ref)
			ids, mark, err := next.Resume(t.Context(), idOf)
			must(t, err)
			if diff := cmp.Diff([]string{"0", "1", "2"}, ids); diff != "" || mark != "mark" {
				t.Errorf("resumed with mark %q, ids (-want +got):\n%s", mark, diff)
			}
			row.attempt(t, b, next, e)
			must(t, next.Close(t.Context()))
			if n := b.stored(); n != uint64(2*row.objects) { // a chunk and a name each
				t.Errorf("%d messages are left, want %d objects", n, row.objects)
			}
		})
	}
}

func TestALongListOfAnErasedAccountLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := sample(t, schema.Truv, "link-connected", "erased")
	b.start(schema.Link, fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		for _, step := range b.conn.ErasureSteps(schema.Truv, job.Event.Account()) {
			if err := step.Run(ctx); err != nil {
				return Fetched{}, err
			}
		}
		for id := range 20 {
			if err := job.Records.Add(ctx, recordOf(id, 100<<10)); err != nil {
				return Fetched{}, err
			}
		}
		return Fetched{}, errors.New("the records were stored")
	}), quick())
	b.publish(e)
	b.logged(e, "erased", 1)
	if n := b.stored(); n != 0 {
		t.Errorf("%d messages of the records are left", n)
	}
	if left := b.all(schema.EventsStream, e.Subject()); len(left) != 0 {
		t.Errorf("%d events are left", len(left))
	}
}

// pagedAPI serves an endless number of accounts, each with a list of pages of the same size.
type pagedAPI struct{ pages, pageBytes int }

func (p pagedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const records = 30
	n, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	next := ""
	if n+1 < p.pages {
		next = strconv.Itoa(n + 1)
	}
	fmt.Fprintf(w, `{"next":%q,"data":[`, next)
	text := strings.Repeat("x", p.pageBytes/records)
	for id := range records {
		if id > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, `{"id":"%d-%d","text":%q}`, n, id, text)
	}
	fmt.Fprint(w, `]}`)
}

// pagedHandler reads the whole list of pagedAPI. atPage is called while a page is held.
func pagedHandler(client *api.Client, atPage func()) Handler {
	return fetchFunc(func(ctx context.Context, job Job) (Fetched, error) {
		pages := api.Pages("/list", func(cursor string) (page api.Page, next string, err error) {
			e := api.Path("/list")
			e.Query = map[string][]string{"cursor": {cursor}}
			page.Answer, err = client.Get(ctx, e)
			for name, value := range rawjson.Members(page.Answer.Body) {
				if name == "next" {
					err = errors.Join(err, json.Unmarshal(value, &next))
					continue
				}
				for record := range rawjson.Elements(value) {
					page.Records = append(page.Records, api.Record{JSON: record})
				}
			}
			return page, next, err
		})
		for page, err := range pages {
			if err != nil {
				return Fetched{}, err
			}
			atPage()
			for _, record := range page.Records {
				if err := job.Records.Add(ctx, record); err != nil {
					return Fetched{}, err
				}
			}
		}
		return Fetched{}, nil
	})
}

// Lists of 200 pages hold at most the memory and a little for each hand, whatever the sizes of the
// lists. Together the lists of this test are larger.
func TestLongListsHoldNoMoreThanTheMemory(t *testing.T) {
	const (
		hands     = 2
		pages     = api.PagesMax
		pageBytes = 160 << 10
		// handBytes is what a hand holds besides its page: the records of a completion, a chunk,
		// and buffers of connections.
		handBytes = 2 << 20
	)
	b := newBenchWithRoom(t, hands*pages*pageBytes*5/4)
	server := httptest.NewServer(pagedAPI{pages, pageBytes})
	t.Cleanup(server.Close)
	memory := api.NewMemory(api.MemoryMin)
	client, err := api.New(api.Config{
		URL: server.URL, Answers: memory,
		Secrets: func() ([]string, error) { return []string{"sekret"}, nil },
	}, api.Dialect{Header: func(string) http.Header { return nil }})
	must(t, err)
	t.Cleanup(client.Close)

	most := sampledHeap{}
	config := quick()
	config.Concurrency = hands
	b.start(schema.Paystubs, pagedHandler(client, most.sample), config)
	before := liveHeap()
	var events []schema.Event
	for i := range hands {
		events = append(events,
			sample(t, schema.Pinwheel, "paystubs.fully_synced", fmt.Sprint("long-", i)))
	}
	b.publish(events...)
	for _, e := range events {
		b.logged(e, string(schema.Succeeded), 1)
		c := b.completed(e, schema.Paystubs)
		if c.CountRecords() != pages*30 || c.Data.RecordsRef.Bytes < pages*pageBytes {
			t.Errorf("%d records, %+v", c.CountRecords(), c.Data.RecordsRef)
		}
	}
	held, peak := memory.Held()
	if held != 0 || peak == 0 || peak > api.MemoryMin {
		t.Errorf("answers: %d bytes held at the end, %d at most", held, peak)
	}
	if limit := before + api.MemoryMin + hands*handBytes; most.bytes > limit {
		t.Errorf("%d MiB live at the peak, %d before; want under %d", most.bytes>>20, before>>20,
			limit>>20)
	}
	t.Logf("answers %d MiB at most, live heap %d MiB before and %d at most", peak>>20, before>>20,
		most.bytes>>20)
}

// sampledHeap is the largest live heap that was seen, in bytes.
type sampledHeap struct {
	mu    sync.Mutex
	calls int
	bytes uint64
}

// sample looks at every twentieth page, because a collection stops every hand.
func (s *sampledHeap) sample() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.calls%20 == 0 {
		s.bytes = max(s.bytes, liveHeap())
	}
}

// liveHeap is the size of all live objects, in bytes.
func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// newBenchWithRoom is a bench whose object store takes so many bytes.
func newBenchWithRoom(t *testing.T, recordsBytes int64) *bench {
	t.Helper()
	server := streamtest.Run(t, streamtest.Config{})
	topology := streamtest.Topology()
	topology.Records.MaxBytes = recordsBytes
	conn := server.Connect(t)
	streamtest.Provision(t, conn, topology)
	return newBenchAt(t, server.URL())
}

// A caller that wants no records passes none, and may fetch as much as a worker.
func TestNoRecordsDropWhatIsAdded(t *testing.T) {
	t.Parallel()
	var none *Records
	for i := range 2 {
		must(t, none.Add(t.Context(), recordOf(i, schema.CompletionBytesMax)))
	}
	none.Mark("here")
	ids, mark, err := none.Resume(t.Context(), idOf)
	if none.Count() != 0 || len(ids) != 0 || mark != "" || err != nil {
		t.Errorf("%d records, resumed with %v at %q, %v", none.Count(), ids, mark, err)
	}
	must(t, none.Close(t.Context()))
}
