package stream

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// The stream and the subjects of the object store, as NATS document ADR-20 defines them. An object
// is a row of messages: first the chunks, last the name.
const (
	recordsStream = "OBJ_" + schema.RecordsBucket
	// chunkBytesMax is the size of a chunk, if the broker's limit of a message allows it.
	chunkBytesMax = 128 << 10
	// objectsSubject matches the names of all objects.
	objectsSubject = "$O." + schema.RecordsBucket + ".M.>"
	// metadataMark names the entry in an object's metadata with the mark of an attempt.
	metadataMark = "wagewire_mark"
)

func chunksSubject(nuid string) string { return "$O." + schema.RecordsBucket + ".C." + nuid }

// resourceChunks matches the chunks of all objects of a resource. Each chunk has a subject of its
// own: <provider>.<resource>.<account>.<random>.<number>. So the broker can tell the records of a
// resource from others, and one request by subject reads a chunk.
func resourceChunks(p schema.Provider, r schema.Resource) string {
	return chunksSubject(fmt.Sprintf("%s.%s.*.*.*", p, r))
}

// accountChunks are filters for the chunks of all objects of an account, also of objects without a
// name: a worker that dies in the middle of a long list leaves such objects. The second filter is
// for objects of an earlier release, whose chunks share one subject.
func accountChunks(p schema.Provider, account string) []string {
	return []string{
		chunksSubject(fmt.Sprintf("%s.*.%s.*.*", p, account)),
		chunksSubject(fmt.Sprintf("%s.%s.*", p, account)),
	}
}

func objectSubject(name string) string {
	return "$O." + schema.RecordsBucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

// RecordsWriter stores the records of one job as an object, in chunks, as the records come. A
// RecordsWriter holds a chunk in memory, whatever the number of records. It is not safe for
// concurrent use.
type RecordsWriter struct {
	conn   *Conn
	object jetstream.ObjectInfo
	ref    schema.RecordsRef
	event  schema.Event
	// resource is the resource of the records.
	resource schema.Resource
	digest   hash.Hash
	chunk    []byte
	// chunkMax is the size of a full chunk, in bytes.
	chunkMax int
	// sequences are the messages stored so far, for Discard.
	sequences []uint64
}

// NewRecordsWriter begins an object. Each call makes an object of its own, because nothing may
// change the records of a stored completion. The error is ErrErased if the account has a tombstone:
// the fence would refuse the completion, so the records must not be written to disk before.
func (c *Conn) NewRecordsWriter(
	ctx context.Context, e schema.Event, r schema.Resource,
) (*RecordsWriter, error) {
	erased, err := c.Erased(ctx, e.Provider, e.Account())
	if err != nil {
		return nil, err
	}
	if erased {
		return nil, ErrErased
	}
	random := rand.Text()
	name := e.RecordsName(r) + "/" + random
	nuid := fmt.Sprintf("%s.%s.%s.%s", e.Provider, r, e.Account(), random)
	return &RecordsWriter{
		conn:     c,
		event:    e,
		resource: r,
		ref: schema.RecordsRef{
			Bucket: schema.RecordsBucket, Name: name, Subject: chunksSubject(nuid),
		},
		object: jetstream.ObjectInfo{
			ObjectMeta: jetstream.ObjectMeta{Name: name},
			Bucket:     schema.RecordsBucket,
			NUID:       nuid + ".*", // a client of the object store filters by it
		},
		digest:   sha256.New(),
		chunkMax: min(chunkBytesMax, c.payloadMax()),
	}, nil
}

// Add adds a record without the white space between its tokens. Add returns after every full chunk
// is stored, and keeps no part of the record. After an error only Discard may be called.
func (w *RecordsWriter) Add(ctx context.Context, record json.RawMessage) error {
	separator := ","
	if w.ref.Count == 0 {
		separator = "["
	}
	if err := w.write(ctx, []byte(separator)); err != nil {
		return err
	}
	err := rawjson.WriteCompact(chunkWriter{ctx, w}, record)
	if errors.Is(err, rawjson.ErrSyntax) || errors.Is(err, rawjson.ErrDepth) {
		return fmt.Errorf("put records %s: record %d: %w", w.ref.Name, w.ref.Count+1, err)
	}
	if err != nil {
		return err
	}
	w.ref.Count++
	return nil
}

// chunkWriter writes to the object within a context.
type chunkWriter struct {
	ctx context.Context //nolint:containedctx // the context of one call of Add
	w   *RecordsWriter
}

// Write implements io.Writer.
func (c chunkWriter) Write(text []byte) (int, error) { return len(text), c.w.write(c.ctx, text) }

// write appends bytes to the object and stores every chunk that is full.
func (w *RecordsWriter) write(ctx context.Context, text []byte) error {
	for len(text) > 0 {
		n := min(len(text), w.chunkMax-len(w.chunk))
		w.chunk = append(w.chunk, text[:n]...)
		text = text[n:]
		if len(w.chunk) < w.chunkMax {
			return nil
		}
		if err := w.storeChunk(ctx); err != nil {
			return err
		}
	}
	return nil
}

// storeChunk stores the chunk at hand. Each chunk is acknowledged before the next: the client's own
// Put sends all messages at once, and if the broker has no room and refuses chunks, Put stores the
// name of an incomplete object.
func (w *RecordsWriter) storeChunk(ctx context.Context) error {
	w.object.Chunks++
	w.object.Size += uint64(len(w.chunk))
	w.ref.Chunks++
	w.digest.Write(w.chunk)
	msg := &nats.Msg{Subject: w.ref.ChunkSubject(w.ref.Chunks), Data: w.chunk}
	if err := w.publish(ctx, msg, msg.Subject); err != nil {
		return err
	}
	w.chunk = w.chunk[:0]
	return nil
}

func (w *RecordsWriter) publish(ctx context.Context, msg *nats.Msg, id string) error {
	published, err := w.conn.publish(ctx, recordsStream, msg, jetstream.WithMsgID(id))
	if err != nil {
		return fmt.Errorf("put records %s: %w", w.ref.Name, err)
	}
	w.sequences = append(w.sequences, published.Sequence)
	return nil
}

// Copy returns an object of another event with the records so far. Copy reads and stores one chunk
// after the other, and must be called before Close. If Copy fails, nothing of the copy stays
// stored. The error is ErrErased if the other event's account has a tombstone.
func (w *RecordsWriter) Copy(ctx context.Context, e schema.Event) (*RecordsWriter, error) {
	other, err := w.conn.NewRecordsWriter(ctx, e, w.resource)
	if err != nil {
		return nil, err
	}
	if err := w.copyTo(ctx, other); err != nil {
		err = fmt.Errorf("copy records %s: %w", w.ref.Name, err)
		return nil, errors.Join(err, other.Discard(ctx))
	}
	return other, nil
}

func (w *RecordsWriter) copyTo(ctx context.Context, other *RecordsWriter) error {
	for _, sequence := range w.sequences {
		m, err := w.conn.readMessage(ctx, recordsStream, sequence)
		if err != nil {
			return err
		}
		if err := other.write(ctx, m.Data); err != nil {
			return err
		}
	}
	other.ref.Count = w.ref.Count
	return other.write(ctx, w.chunk)
}

// Ref returns the reference to the records so far. Only the reference from Close has the sum and
// the size.
func (w *RecordsWriter) Ref() schema.RecordsRef { return w.ref }

// Close stores the rest of the object and its name. Nothing can be added afterwards.
func (w *RecordsWriter) Close(ctx context.Context) (schema.RecordsRef, error) {
	end := "]"
	if w.ref.Count == 0 {
		end = "[]"
	}
	if err := w.write(ctx, []byte(end)); err != nil {
		return w.ref, err
	}
	if len(w.chunk) > 0 {
		if err := w.storeChunk(ctx); err != nil {
			return w.ref, err
		}
	}
	w.chunk = nil
	w.ref.SHA256 = hex.EncodeToString(w.digest.Sum(nil))
	w.ref.Bytes = int64(w.object.Size)
	w.object.Digest = jetstream.GetObjectDigestValue(w.digest)
	info, err := json.Marshal(w.object)
	if err != nil {
		return w.ref, fmt.Errorf("put records %s: %w", w.ref.Name, err)
	}
	msg := &nats.Msg{Subject: objectSubject(w.ref.Name), Data: info}
	return w.ref, w.publish(ctx, msg, w.object.NUID)
}

// SaveProgress stores the records as what an attempt found so far, with the attempt's mark: a short
// text for the next attempt. ReadProgress reads both. If the account was erased meanwhile, nothing
// stays stored and the error is ErrErased.
func (w *RecordsWriter) SaveProgress(ctx context.Context, mark string) (schema.RecordsRef, error) {
	w.object.Metadata = map[string]string{metadataMark: mark}
	ref, err := w.Close(ctx)
	if err != nil {
		return ref, err
	}
	// No fence protects the object. Either the erasure begins later and finds the object, or the
	// tombstone is there now.
	erased, err := w.conn.Erased(ctx, w.event.Provider, w.event.Account())
	if err == nil && erased {
		err = errors.Join(ErrErased, w.Discard(ctx))
	}
	return ref, err
}

// Discard overwrites and deletes everything stored so far. A second call does nothing more.
func (w *RecordsWriter) Discard(ctx context.Context) error {
	for len(w.sequences) > 0 {
		last := len(w.sequences) - 1
		if err := w.conn.deleteMessage(ctx, recordsStream, w.sequences[last]); err != nil {
			return fmt.Errorf("take back records %s: %w", w.ref.Name, err)
		}
		w.sequences = w.sequences[:last]
	}
	return nil
}

// putRecords begins an object with the records. If it fails, nothing stays stored.
func (c *Conn) putRecords(
	ctx context.Context, e schema.Event, r schema.Resource, records []json.RawMessage,
) (*RecordsWriter, error) {
	w, err := c.NewRecordsWriter(ctx, e, r)
	if err != nil {
		return nil, err
	}
	for _, record := range records {
		if err := w.Add(ctx, record); err != nil {
			return nil, errors.Join(err, w.Discard(ctx))
		}
	}
	return w, nil
}

// Records reads the records of a large completion, and checks their hash. It needs the right to
// read chunks by their subjects. A replica of the stream may lag behind the completion, so Records
// asks again for a missing chunk. The records of an earlier release have no subject, and need the
// rights of the operator.
func (c *Conn) Records(ctx context.Context, ref schema.RecordsRef) ([]json.RawMessage, error) {
	read := c.readChunks
	if ref.Subject == "" {
		read = c.readObject
	}
	body, err := read(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("get records %s: %w", ref.Name, err)
	}
	if sha256Of(body) != ref.SHA256 {
		return nil, wrongSum(ref)
	}
	var records []json.RawMessage
	if err := schema.DecodeJSON(body, &records); err != nil {
		return nil, fmt.Errorf("decode records %s: %w", ref.Name, err)
	}
	return records, nil
}

func (c *Conn) readObject(ctx context.Context, ref schema.RecordsRef) ([]byte, error) {
	store, err := c.js.ObjectStore(ctx, ref.Bucket)
	if err != nil {
		return nil, err
	}
	return store.GetBytes(ctx, ref.Name)
}

func (c *Conn) readChunks(ctx context.Context, ref schema.RecordsRef) ([]byte, error) {
	var body []byte
	for n := range ref.Chunks {
		chunk, err := c.readChunk(ctx, ref.ChunkSubject(n+1))
		if err != nil {
			return nil, fmt.Errorf("chunk %d of %d: %w", n+1, ref.Chunks, err)
		}
		body = append(body, chunk...)
	}
	return body, nil
}

// errChunkMissing means that the asked replica does not have the chunk.
var errChunkMissing = errors.New("the chunk is not there")

func (c *Conn) readChunk(ctx context.Context, subject string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	return askUntilAnswered(ctx, c, func(ctx context.Context) ([]byte, error) {
		request := c.apiSubject(apiDirectGet, recordsStream+"."+subject)
		m, err := c.nats.RequestWithContext(ctx, request, nil)
		if err != nil {
			return nil, err
		}
		if m.Header.Get(statusHeader) != "" {
			return nil, fmt.Errorf("%w: %s", errChunkMissing, m.Header.Get(descriptionHeader))
		}
		return m.Data, nil
	})
}

func wrongSum(ref schema.RecordsRef) error {
	return fmt.Errorf("get records %s: the bytes are not those of sha256 %s", ref.Name, ref.SHA256)
}

// ReadProgress calls add with each record that an attempt saved, and returns the attempt's mark. It
// holds one record and one chunk at a time. ReadProgress checks the hash at the end: after an error
// the records added so far mean nothing. It asks the leader of the stream, because a replica may
// lag behind the attempt that saved.
func (c *Conn) ReadProgress(
	ctx context.Context, ref schema.RecordsRef, add func(json.RawMessage) error,
) (mark string, err error) {
	object, err := c.readObjectInfo(ctx, ref.Name)
	if err != nil {
		return "", fmt.Errorf("get records %s: %w", ref.Name, err)
	}
	if err := c.readEach(ctx, ref, object, add); err != nil {
		return "", err
	}
	return object.Metadata[metadataMark], nil
}

// readEach calls add with each record of an object, and checks the hash at the end.
func (c *Conn) readEach(
	ctx context.Context, ref schema.RecordsRef, object jetstream.ObjectInfo,
	add func(json.RawMessage) error,
) error {
	digest := sha256.New()
	chunks := &chunkReader{
		next: func(from uint64) (*jetstream.RawStreamMsg, error) {
			return c.nextMessage(ctx, recordsStream, chunksSubject(object.NUID), from)
		},
		from: 1,
	}
	whole := io.TeeReader(chunks, digest)
	if err := decodeArray(whole, add); err != nil {
		return fmt.Errorf("read records %s: %w", ref.Name, err)
	}
	if _, err := io.Copy(io.Discard, whole); err != nil {
		return fmt.Errorf("read records %s: %w", ref.Name, err)
	}
	if hex.EncodeToString(digest.Sum(nil)) != ref.SHA256 {
		return wrongSum(ref)
	}
	return nil
}

// ReadRecords calls add with each record of a completion, in the message or in the object store. It
// holds one record and one chunk at a time. After an error the records added so far mean nothing.
// The error is ErrNoRecords if the records are gone: they expired, or the account was erased.
func (o *Operator) ReadRecords(
	ctx context.Context, completion schema.Completion, add func(json.RawMessage) error,
) error {
	ref := completion.Data.RecordsRef
	if ref == nil {
		for _, record := range completion.Data.Records {
			if err := add(record); err != nil {
				return err
			}
		}
		return nil
	}
	object, err := o.readObjectInfo(ctx, ref.Name)
	if err == nil {
		err = o.readEach(ctx, *ref, object, add)
	}
	if err == nil {
		return nil
	}
	// An erasure in the middle looks like a broken object.
	if _, gone := o.readObjectInfo(ctx, ref.Name); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("read records %s: %w", ref.Name, ErrNoRecords)
	}
	return fmt.Errorf("read records %s: %w", ref.Name, err)
}

// decodeArray calls add with each element of a JSON array.
func decodeArray(from io.Reader, add func(json.RawMessage) error) error {
	decoder := json.NewDecoder(from)
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		var element json.RawMessage
		if err := decoder.Decode(&element); err != nil {
			return err
		}
		if err := add(element); err != nil {
			return err
		}
	}
	return nil
}

// chunkReader reads the chunks of an object as one text.
type chunkReader struct {
	// next returns the next chunk at or after a sequence. The error is jetstream.ErrMsgNotFound
	// after the last chunk.
	next func(from uint64) (*jetstream.RawStreamMsg, error)
	from uint64
	rest []byte
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		m, err := r.next(r.from)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		r.rest = m.Data
		r.from = m.Sequence + 1
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// readObjectInfo reads the name of an object.
func (c *Conn) readObjectInfo(
	ctx context.Context, name string,
) (object jetstream.ObjectInfo, err error) {
	m, err := c.nextMessage(ctx, recordsStream, objectSubject(name), 1)
	if err != nil {
		return object, err
	}
	if err := schema.DecodeJSON(m.Data, &object); err != nil {
		return object, fmt.Errorf("decode the name: %w", err)
	}
	return object, nil
}

// DeleteProgress overwrites and deletes the records that an attempt saved. It returns nil if they
// are gone already.
func (c *Conn) DeleteProgress(ctx context.Context, ref schema.RecordsRef) error {
	return c.eraseObject(ctx, ref.Name)
}

// EraseRecords erases every object of an account: first all chunks, also the chunks of objects
// without a name, then the names. The chunks of objects that an older version stored are found by
// the names.
func (c *Conn) EraseRecords(ctx context.Context, p schema.Provider, account string) error {
	for _, filter := range accountChunks(p, account) {
		if err := c.eraseMessages(ctx, recordsStream, filter, nil); err != nil {
			return err
		}
	}
	names, err := c.objectNames(ctx)
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, schema.AccountRecords(p, account)) {
			continue
		}
		if err := c.eraseObject(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// objectNames lists the names of all objects. It asks for the subjects of the names, because the
// client's own List makes a consumer, and workers have no right to make one.
func (c *Conn) objectNames(ctx context.Context) ([]string, error) {
	subjects, err := c.subjectsOf(ctx, recordsStream, objectsSubject)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, subject := range subjects {
		name, err := base64.URLEncoding.DecodeString(schema.LastToken(subject))
		if err != nil {
			continue // not a name of ours
		}
		names = append(names, string(name))
	}
	return names, nil
}

// eraseObject overwrites and deletes an object. It returns nil if the object is gone already. The
// client's own Delete leaves the bytes in the file and the name on the stream, and needs room for a
// marker. The chunks go first: if an erasure stops in between, the next one finds the rest by the
// name.
func (c *Conn) eraseObject(ctx context.Context, name string) error {
	object, err := c.readObjectInfo(ctx, name)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete records %s: %w", name, err)
	}
	for _, subject := range []string{chunksSubject(object.NUID), objectSubject(name)} {
		if err := c.eraseMessages(ctx, recordsStream, subject, nil); err != nil {
			return fmt.Errorf("delete records %s: %w", name, err)
		}
	}
	return nil
}
