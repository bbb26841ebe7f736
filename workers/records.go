package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
)

// savedRecordMax is the size of the largest record that an attempt saves for the next, in bytes:
// the next attempt reads the records one at a time, outside of the memory for answers.
const savedRecordMax = 1 << 20

// Records collects the records of a job. A few records stay in memory. As soon as the records are
// too large for a completion, Records moves them to the object store, and sends the others there as
// they come: a job with a long list holds about a page of the list.
//
// An attempt that ends without a completion may hand on what it found: Mark says that the records
// are worth it, Save stores them, and Keep confirms that the next attempt will get the reference.
// The next attempt begins with Resume. Close removes everything stored that has no further use.
//
// Records is not safe for concurrent use. A nil *Records is empty, and drops what is added.
type Records struct {
	conn     *stream.Conn
	event    schema.Event
	resource schema.Resource
	// progress is what the attempt before saved. It may be nil.
	progress *schema.RecordsRef

	// small are copies of the records while they fit in a completion, of smallBytes together.
	small      []json.RawMessage
	smallBytes int
	// writer has the records once they are too large. It is nil before.
	writer *stream.RecordsWriter
	// count and largest are about all records, in memory or not.
	count   int
	largest int

	// reference finds the drift of each record. Nil: nobody counts it.
	reference *jsonschema.Reference
	// drift is the number of findings by kind.
	drift map[jsonschema.DriftKind]int

	// mark is what the next attempt must know. Empty: nothing is worth saving.
	mark string
	// resumed is the state after Resume. If nothing changed since, progress is still good.
	resumed recordsState
	// saved is the object that Save stored. It is nil before.
	saved *stream.RecordsWriter
	// kept is true if the next attempt has the reference of Save.
	kept bool
	// completed is true if the completion of the event is stored.
	completed bool
}

// recordsState tells whether an attempt found anything.
type recordsState struct {
	count int
	mark  string
}

// NewRecords returns a collector for the records of an event. progress is the reference that Save
// returned to an earlier attempt, or nil. conn may be nil in a test with a few small records.
func NewRecords(
	conn *stream.Conn, e schema.Event, r schema.Resource, progress *schema.RecordsRef,
) *Records {
	return &Records{conn: conn, event: e, resource: r, progress: progress}
}

// Add adds a record, and keeps no part of it: the record may belong to an answer that is released
// next. Add stores records in the object store once they are too large for a completion, within
// StoreFor. The error is stream.ErrErased if the account was erased. Any other error says that the
// broker did not store the record, or that the record is no JSON.
func (r *Records) Add(ctx context.Context, record api.Record) error {
	if r == nil {
		return nil
	}
	if r.writer == nil && r.smallBytes+len(record.JSON) <= schema.CompletionBytesMax {
		r.note(record.JSON)
		r.small = append(r.small, bytes.Clone(record.JSON))
		r.smallBytes += len(record.JSON)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, StoreFor)
	defer cancel()
	if r.writer == nil {
		if err := r.moveToStore(ctx); err != nil {
			return err
		}
	}
	r.note(record.JSON)
	return storeError(r.writer.Add(ctx, record.JSON))
}

// note counts a record.
func (r *Records) note(record json.RawMessage) {
	r.noteDrift(record)
	r.count++
	r.largest = max(r.largest, len(record))
}

// noteDrift notes where the record differs from the provider's reference. Drift never fails a job.
func (r *Records) noteDrift(record json.RawMessage) {
	if r.reference == nil {
		return
	}
	for _, f := range r.reference.FindDrift(r.event.Provider, r.resource, record) {
		if r.drift == nil {
			r.drift = map[jsonschema.DriftKind]int{}
		}
		r.drift[f.Kind]++
	}
}

// moveToStore begins an object with the records in memory.
func (r *Records) moveToStore(ctx context.Context) error {
	writer, err := r.conn.NewRecordsWriter(ctx, r.event, r.resource)
	if err != nil {
		return storeError(err)
	}
	r.writer = writer
	for _, record := range r.small {
		if err := writer.Add(ctx, record); err != nil {
			return storeError(err)
		}
	}
	r.small = nil
	r.smallBytes = 0
	return nil
}

// storeError marks an error of the broker as errNotStored. ErrErased stays as it is, because the
// event ends with it.
func storeError(err error) error {
	if err == nil || errors.Is(err, stream.ErrErased) {
		return err
	}
	return notStored(err)
}

// Count returns the number of records.
func (r *Records) Count() int {
	if r == nil {
		return 0
	}
	return r.count
}

// InMemory returns the records, or nil if they are in the object store.
func (r *Records) InMemory() []json.RawMessage {
	if r == nil {
		return nil
	}
	return r.small
}

// Mark says that the records are worth saving if the attempt ends here. mark is a short text for
// the next attempt, for example the place in a list. After an empty mark, Save saves nothing.
func (r *Records) Mark(mark string) {
	if r != nil {
		r.mark = mark
	}
}

// Resume adds the records that an earlier attempt saved, and returns their ids and the attempt's
// mark. idOf reads the id of a record. If nothing was saved, or the saved records cannot be read,
// Resume returns nothing: the attempt then fetches everything.
func (r *Records) Resume(
	ctx context.Context, idOf func(json.RawMessage) (string, error),
) (ids []string, mark string, err error) {
	if r == nil || r.progress == nil {
		return nil, "", nil
	}
	reading, cancel := context.WithTimeout(ctx, StoreFor)
	defer cancel()
	var refused error
	mark, err = r.conn.ReadProgress(reading, *r.progress, func(record json.RawMessage) error {
		id, err := idOf(record)
		if err != nil {
			return err
		}
		ids = append(ids, id)
		refused = r.Add(reading, api.Record{ID: id, JSON: record})
		return refused
	})
	switch {
	case err == nil:
		r.mark = mark
		r.resumed = recordsState{r.count, mark}
		return ids, mark, nil
	case refused != nil:
		return nil, "", refused
	case ctx.Err() != nil:
		return nil, "", context.Cause(ctx)
	default:
		return nil, "", r.Reset(ctx)
	}
}

// Reset forgets all records, and deletes the stored ones.
func (r *Records) Reset(ctx context.Context) error {
	if r == nil {
		return nil
	}
	if r.writer != nil {
		ctx, cancel := context.WithTimeout(ctx, StoreFor)
		defer cancel()
		if err := r.writer.Discard(ctx); err != nil {
			return notStored(err)
		}
	}
	reference := r.reference
	*r = *NewRecords(r.conn, r.event, r.resource, r.progress)
	r.reference = reference
	return nil
}

// Save stores the records for the next attempt, and returns their reference. The reference is nil
// if there is nothing worth saving. Afterwards no record can be added. The caller hands the
// reference on and then calls Keep; without Keep, Close deletes what Save stored.
func (r *Records) Save(ctx context.Context) (*schema.RecordsRef, error) {
	if r == nil || r.mark == "" || r.count == 0 || r.largest > savedRecordMax {
		return nil, nil
	}
	if r.progress != nil && r.resumed == (recordsState{r.count, r.mark}) {
		return r.progress, nil
	}
	ctx, cancel := context.WithTimeout(ctx, StoreFor)
	defer cancel()
	if r.writer == nil {
		if err := r.moveToStore(ctx); err != nil {
			return nil, err
		}
	}
	ref, err := r.writer.SaveProgress(ctx, r.mark)
	if err != nil {
		return nil, storeError(err)
	}
	r.saved = r.writer
	r.writer = nil
	return &ref, nil
}

// Keep says that the next attempt has the reference that Save returned.
func (r *Records) Keep() {
	if r != nil {
		r.kept = true
	}
}

// put puts the records into a completion.
func (r *Records) put(c *schema.Completion) {
	if r == nil {
		return
	}
	if r.writer != nil {
		ref := r.writer.Ref()
		c.Data.Records = nil
		c.Data.RecordsRef = &ref
		return
	}
	// append keeps the empty list of NewCompletion: null would break the contract.
	c.Data.Records = append(c.Data.Records, r.small...)
}

// publish stores the completion. If put gave it a reference, publish ends the object first. stored
// and err are those of stream.Conn.PublishCompletion.
func (r *Records) publish(
	ctx context.Context, conn *stream.Conn, e schema.Event, c schema.Completion,
) (stored bool, err error) {
	if r == nil || r.writer == nil || c.Data.RecordsRef == nil {
		stored, err = conn.PublishCompletion(ctx, e, c)
	} else {
		stored, err = r.publishObject(ctx, conn, e, c)
	}
	if r != nil {
		r.completed = err == nil
	}
	return stored, err
}

// publishObject stores the completion with its object. The completion of one of a person's accounts
// gets a copy of the object, because the erasure of an account erases the account's objects. Close
// discards the original.
func (r *Records) publishObject(
	ctx context.Context, conn *stream.Conn, e schema.Event, c schema.Completion,
) (stored bool, err error) {
	writer := r.writer
	if e.Of == "" {
		r.writer = nil // the object belongs to the completion, or is discarded with it
	} else if writer, err = r.writer.Copy(ctx, e); err != nil {
		return false, err
	}
	return conn.PublishWithRecords(ctx, e, c, writer)
}

// Close deletes what is stored and has no further use: records without a completion, and progress
// that the next attempt does not need. The end of ctx does not stop Close, because a worker that
// stops must not leave records behind.
func (r *Records) Close(ctx context.Context) error {
	if r == nil || r.writer == nil && r.saved == nil && r.progress == nil {
		return nil // nothing is stored
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StoreFor)
	defer cancel()
	var errs []error
	for _, unused := range []*stream.RecordsWriter{r.writer, r.unkept()} {
		if unused != nil {
			errs = append(errs, unused.Discard(ctx))
		}
	}
	superseded := r.kept && r.saved != nil
	if r.progress != nil && (r.completed || superseded) {
		errs = append(errs, r.conn.DeleteProgress(ctx, *r.progress))
	}
	return errors.Join(errs...)
}

// unkept returns the object that Save stored and nobody has the reference of.
func (r *Records) unkept() *stream.RecordsWriter {
	if r.kept {
		return nil
	}
	return r.saved
}
