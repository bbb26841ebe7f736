package stream_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	recordsStream = "OBJ_" + schema.RecordsBucket
	allChunks     = "$O." + schema.RecordsBucket + ".C.>"
)

// write begins an object and adds records.
func write(t *testing.T, c *stream.Conn, e schema.Event, records ...string) *stream.RecordsWriter {
	t.Helper()
	w, err := c.NewRecordsWriter(t.Context(), e, e.Resource)
	must(t, err)
	for _, record := range records {
		must(t, w.Add(t.Context(), json.RawMessage(record)))
	}
	return w
}

// progressOf reads saved records with their mark.
func progressOf(
	t *testing.T, c *stream.Conn, ref schema.RecordsRef,
) (records []string, mark string, err error) {
	t.Helper()
	mark, err = c.ReadProgress(t.Context(), ref, func(record json.RawMessage) error {
		records = append(records, string(record))
		return nil
	})
	return records, mark, err
}

func TestAnObjectIsTheArrayOfItsRecordsByteForByte(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	store, err := look(t, s).ObjectStore(t.Context(), schema.RecordsBucket)
	must(t, err)
	const chunk = 128 << 10
	text := func(bytes int) string { return `"` + strings.Repeat("x", bytes-2) + `"` }
	for _, row := range []struct {
		promise string
		records []string
		chunks  int
	}{
		{"without records", nil, 1},
		{"with one record", []string{`{"id":"1","net":0.10}`}, 1},
		{"with white space between tokens", []string{" {\n\t\"id\" : \"1\" , \"a\" : [ 1 , 2 ] }\r\n"}, 1},
		{"with white space, quotes and backslashes in texts",
			[]string{`{"a": "b  \" c \\", "d": "\\\" \n"}`, `"\\"`}, 1},
		{"with characters that HTML would escape", []string{"{\"a\":\"<&>\u2028\"}"}, 1},
		{"of exactly one chunk", []string{text(chunk - 2)}, 1},
		{"that ends one byte behind a chunk", []string{text(chunk - 1)}, 2},
		{"of several chunks", []string{text(2 * chunk), text(chunk), `1`}, 4},
	} {
		t.Run(row.promise, func(t *testing.T) {
			e := paystubs("written", "account/1")
			ref, err := write(t, c, e, row.records...).Close(t.Context())
			must(t, err)
			raw := []json.RawMessage{}
			for _, r := range row.records {
				raw = append(raw, json.RawMessage(r))
			}
			want, err := schema.EncodeRecords(raw)
			must(t, err)
			got, err := store.GetBytes(t.Context(), ref.Name)
			must(t, err)
			if string(got) != string(want) {
				t.Errorf("the object is not the array: %d bytes, want %d", len(got), len(want))
			}
			if ref.Count != len(row.records) || ref.Bytes != int64(len(want)) {
				t.Errorf("reference %+v, want %d records, %d bytes", ref, len(raw), len(want))
			}
			if _, err := c.Records(t.Context(), ref); err != nil {
				t.Error(err)
			}
			account := "$O." + schema.RecordsBucket + ".C.pinwheel.paystubs." + e.Account() + "."
			if !strings.HasPrefix(ref.Subject, account) {
				t.Errorf("the chunks are on %s, want a subject of the account", ref.Subject)
			}
			chunks := look(t, s).all(recordsStream, ref.Subject+".*")
			if len(chunks) != row.chunks || ref.Chunks != row.chunks {
				t.Errorf("%d chunks, the reference has %d; want %d",
					len(chunks), ref.Chunks, row.chunks)
			}
		})
	}
}

func TestACopyOfRecordsIsAnObjectOfItsOwn(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	large := `{"id":"1","text":"` + strings.Repeat("x", 300<<10) + `"}`
	original := write(t, c, paystubs("id", "person"), large, `{"id":"2"}`)
	copied, err := original.Copy(t.Context(), paystubs("id", "account"))
	must(t, err)
	ref, err := copied.Close(t.Context())
	must(t, err)
	must(t, original.Discard(t.Context()))
	got, err := c.Records(t.Context(), ref)
	must(t, err)
	if len(got) != 2 || ref.Count != 2 || string(got[0]) != large {
		t.Errorf("%d records, %d in the reference", len(got), ref.Count)
	}
	if !strings.HasPrefix(ref.Name, schema.AccountRecords(schema.Pinwheel, "account")) {
		t.Errorf("the name is %s, want a name of the account", ref.Name)
	}
	for _, m := range b.all(recordsStream, allChunks) {
		if !strings.Contains(m.Subject, ".pinwheel.paystubs.account.") {
			t.Errorf("a chunk is left on %s", m.Subject)
		}
	}
}

func TestRecordsAreNotCopiedToAnErasedAccount(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	erase(t, c, link("gone", "gone", schema.ActionDeleted))
	original := write(t, c, link("id", "kept", schema.ActionConnected), `{"id":"1"}`)
	_, err := original.Copy(t.Context(), link("id", "gone", schema.ActionConnected))
	if !errors.Is(err, stream.ErrErased) {
		t.Errorf("error %v, want ErrErased", err)
	}
	if n := len(look(t, s).all(recordsStream, allChunks)); n != 0 {
		t.Errorf("%d chunks are stored", n)
	}
}

func TestARecordThatIsNotJSONIsRefused(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	w := write(t, c, paystubs("id", "account"), `{}`)
	for _, record := range []string{``, `{`, `{} {}`, `{"a":"`} {
		if w.Add(t.Context(), json.RawMessage(record)) == nil {
			t.Errorf("%q was added", record)
		}
	}
}

func TestAnErasureFindsRecordsWithoutAName(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	large := strings.Repeat("x", 300<<10)
	gone := link("gone", "gone", schema.ActionConnected)
	write(t, c, gone, `{"canary":"`+large+`"}`) // its worker dies here
	write(t, c, link("kept", "kept", schema.ActionConnected), `{"text":"`+large+`"}`)
	kept := len(b.all(recordsStream, allChunks)) / 2
	if kept == 0 {
		t.Fatal("nothing is stored")
	}
	erase(t, c, gone)
	chunks := b.all(recordsStream, allChunks)
	if len(chunks) != kept {
		t.Errorf("%d chunks are left, want %d", len(chunks), kept)
	}
	for _, m := range chunks {
		if !strings.Contains(m.Subject, ".truv.link.kept.") {
			t.Errorf("a chunk is left on %s", m.Subject)
		}
	}
}

// An older version put no account into the subjects of the chunks.
func TestObjectsOfAnOlderVersionAreReadAndErased(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	b := look(t, s)
	e := link("old", "account", schema.ActionConnected)
	body := []byte(`[{"id":"1"},{"id":"2"}]`)
	name := e.RecordsName(schema.Link) + "/OLD"
	_, err := b.Publish(t.Context(), "$O."+schema.RecordsBucket+".C.OLD", body)
	must(t, err)
	digest := sha256.New()
	digest.Write(body)
	info, err := json.Marshal(jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: name}, Bucket: schema.RecordsBucket, NUID: "OLD",
		Size: uint64(len(body)), Chunks: 1, Digest: jetstream.GetObjectDigestValue(digest),
	})
	must(t, err)
	token := base64.URLEncoding.EncodeToString([]byte(name))
	_, err = b.Publish(t.Context(), "$O."+schema.RecordsBucket+".M."+token, info)
	must(t, err)
	ref := schema.RecordsRef{Bucket: schema.RecordsBucket, Name: name, SHA256: sha256Of(body),
		Bytes: int64(len(body)), Count: 2}
	if read, err := c.Records(t.Context(), ref); err != nil || len(read) != 2 {
		t.Errorf("%d records, %v", len(read), err)
	}
	erase(t, c, e)
	if left := b.state(recordsStream).Msgs; left != 0 {
		t.Errorf("%d messages are left", left)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	b := look(t, s)
	e := paystubs("id", "account")
	want := []string{`{"id":"1","text":"` + strings.Repeat("x", 300<<10) + `"}`, `{"id":"2"}`}
	ref, err := write(t, c, e, want...).SaveProgress(t.Context(), `{"list":1}`)
	must(t, err)
	if !strings.HasPrefix(ref.Name, schema.AccountRecords(e.Provider, e.Account())) {
		t.Errorf("name %s: an erasure does not find it", ref.Name)
	}
	other, err := write(t, c, e, `{"id":"3"}`).SaveProgress(t.Context(), "other")
	must(t, err)

	got, mark, err := progressOf(t, c, ref)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" || mark != `{"list":1}` {
		t.Errorf("mark %s, records (-want +got):\n%s", mark, diff)
	}
	wrong := ref
	wrong.SHA256 = other.SHA256
	if _, _, err := progressOf(t, c, wrong); err == nil {
		t.Error("records with another hash were accepted")
	}
	for range 2 { // the second time everything is gone already
		must(t, c.DeleteProgress(t.Context(), ref))
	}
	if _, _, err := progressOf(t, c, ref); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("deleted progress: %v", err)
	}
	if got, mark, err := progressOf(t, c, other); err != nil || mark != "other" || len(got) != 1 {
		t.Errorf("the other progress: %v, mark %s, %v", got, mark, err)
	}
	if n := len(b.all(recordsStream, ">")); n != 2 {
		t.Errorf("%d messages, want the chunk and the name of the other", n)
	}
}

func TestProgressThatLacksAChunkIsAnError(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	e := paystubs("id", "account")
	for first := range 3 {
		record := `{"id":"1","text":"` + strings.Repeat("x", 300<<10) + `"}`
		ref, err := write(t, c, e, record).SaveProgress(t.Context(), "mark")
		must(t, err)
		chunks := look(t, s).all(recordsStream, allChunks)
		lost := chunks[len(chunks)-3+first]
		must(t, look(t, s).stream(recordsStream).DeleteMsg(t.Context(), lost.Sequence))
		if _, _, err := progressOf(t, c, ref); err == nil {
			t.Errorf("chunk %d is lost, and nobody said so", first+1)
		}
	}
}

func TestNothingOfAnErasedAccountIsSaved(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	c.BePatient()
	e := link("id", "account", schema.ActionConnected)
	record := `{"text":"` + strings.Repeat("x", 300<<10) + `"}`
	w := write(t, c, e, record)
	erase(t, c, e)
	if _, err := w.SaveProgress(t.Context(), "mark"); !errors.Is(err, stream.ErrErased) {
		t.Errorf("SaveProgress: %v, want ErrErased", err)
	}
	if _, err := c.NewRecordsWriter(t.Context(), e, e.Resource); !errors.Is(err, stream.ErrErased) {
		t.Errorf("NewRecordsWriter: %v, want ErrErased", err)
	}
	if left := look(t, s).state(recordsStream).Msgs; left != 0 {
		t.Errorf("%d messages are left", left)
	}
}

func TestRecordsOfARefusedCompletionAreDiscarded(t *testing.T) {
	t.Parallel()
	record := `{"text":"` + strings.Repeat("x", 300<<10) + `"}`
	for _, row := range []struct {
		promise string
		refuse  func(*testing.T, *stream.Conn, schema.Event)
		want    error
	}{
		{"if the event has a completion", func(t *testing.T, c *stream.Conn, e schema.Event) {
			complete(t, c, e, succeeded(e))
		}, nil},
		{"if the account was erased meanwhile", func(t *testing.T, c *stream.Conn, e schema.Event) {
			erase(t, c, e)
		}, stream.ErrErased},
	} {
		t.Run(row.promise, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			c.BePatient()
			e := link("id", "account", schema.ActionConnected)
			w := write(t, c, e, record)
			row.refuse(t, c, e)
			stored, err := c.PublishWithRecords(t.Context(), e, succeeded(e), w)
			if stored || !errors.Is(err, row.want) {
				t.Errorf("PublishWithRecords = %v, %v", stored, err)
			}
			if left := look(t, s).state(recordsStream).Msgs; left != 0 {
				t.Errorf("%d messages are left", left)
			}
		})
	}
}

func TestEveryMessageFitsUnderTheBrokersLimit(t *testing.T) {
	t.Parallel()
	const payloadMax = 64 << 10
	s := streamtest.Run(t, streamtest.Config{PayloadMax: payloadMax})
	c := s.Connect(t)
	streamtest.Provision(t, c, streamtest.Topology())
	b := look(t, s)

	large := paystubs("large", "account")
	complete(t, c, large, succeeded(large, records(3*payloadMax, "x")...))
	if read, err := c.Records(t.Context(), b.ref(large)); err != nil || len(read) != 2 {
		t.Errorf("%d records, %v", len(read), err)
	}

	hopeless := paystubs("hopeless", "account")
	completion := succeeded(hopeless, `{"id":"1"}`)
	for i := range 10_000 {
		completion.Data.Missing = append(completion.Data.Missing, fmt.Sprint("stub-", i))
	}
	before := b.state(recordsStream).Msgs
	stored, err := c.PublishCompletion(t.Context(), hopeless, completion)
	if stored || !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("an envelope over the limit: %v, %v; want ErrTooLarge", stored, err)
	}
	if after := b.state(recordsStream).Msgs; after != before {
		t.Errorf("%d messages of its records are left", after-before)
	}
}

// A webhook of the largest size may name some 17,000 ids. All of them fit in a completion.
func TestACompletionTakesTheMissingIDsOfTheLargestWebhook(t *testing.T) {
	t.Parallel()
	_, c := streamtest.New(t)
	c.BePatient()
	e := paystubs("id", "account")
	completion := succeeded(e)
	for i := range 17_000 {
		id := fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i)
		completion.Data.Missing = append(completion.Data.Missing, id)
	}
	body, err := completion.Encode()
	must(t, err)
	if len(body) <= schema.CompletionBytesMax {
		t.Fatalf("%d bytes need no thought", len(body))
	}
	if !complete(t, c, e, completion) {
		t.Error("not stored")
	}
}

func sha256Of(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
