package stream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// recordsStream is the stream behind the object store, as the broker's ADR-20 lays it out.
const recordsStream = "OBJ_" + schema.RecordsBucket

// putRecords stores the records of a large completion. The object's name ends in its hash: a second fetch of the same event
// may differ (download links do), and must not change what a stored completion points to.
func (c *Conn) putRecords(ctx context.Context, e schema.Event, r schema.Resource, records []json.RawMessage) (*schema.RecordsRef, error) {
	body, err := schema.EncodeRecords(records)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	ref := &schema.RecordsRef{
		Bucket: schema.RecordsBucket, SHA256: hex.EncodeToString(sum[:]),
		Name:  e.RecordsName(r) + "/" + hex.EncodeToString(sum[:8]),
		Bytes: int64(len(body)), Count: len(records),
	}
	// The fence refuses the completion of an erased account anyway; its records shall not even touch the disk.
	switch _, err := c.last(ctx, schema.CompletionsStream, schema.TombstoneSubject(e.Provider, e.Account())); {
	case err == nil:
		return nil, ErrErased
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, fmt.Errorf("look up tombstone: %w", err)
	}
	store, err := c.js.ObjectStore(ctx, schema.RecordsBucket)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", schema.RecordsBucket, err)
	}
	if info, err := store.GetInfo(ctx, ref.Name); err == nil && info.Size == uint64(len(body)) {
		return ref, nil // the same bytes, from an attempt before this one
	}
	if _, err := store.Put(ctx, jetstream.ObjectMeta{Name: ref.Name}, bytes.NewReader(body)); err != nil {
		return nil, fmt.Errorf("put records %s: %w", ref.Name, full(err))
	}
	return ref, nil
}

// dropRecords deletes records that were put for a completion that was not stored, unless the one that was points to them.
func (c *Conn) dropRecords(ctx context.Context, completionSubject, name string) error {
	stored, err := c.last(ctx, schema.CompletionsStream, completionSubject)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	if err == nil {
		var completion schema.Completion
		if json.Unmarshal(stored.Data, &completion) == nil && completion.Data.RecordsRef != nil && completion.Data.RecordsRef.Name == name {
			return nil
		}
	}
	return c.deleteRecords(ctx, func(object string) bool { return object == name })
}

// Records reads the records that a large completion points to, and checks that they are the ones.
func (c *Conn) Records(ctx context.Context, ref schema.RecordsRef) ([]json.RawMessage, error) {
	store, err := c.js.ObjectStore(ctx, ref.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", ref.Bucket, err)
	}
	body, err := store.GetBytes(ctx, ref.Name)
	if err != nil {
		return nil, fmt.Errorf("get records %s: %w", ref.Name, err)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != ref.SHA256 {
		return nil, fmt.Errorf("get records %s: the bytes are not those of sha256 %s", ref.Name, ref.SHA256)
	}
	var records []json.RawMessage
	if err := json.Unmarshal(body, &records); err != nil {
		return nil, fmt.Errorf("decode records %s: %w", ref.Name, err)
	}
	return records, nil
}

func (c *Conn) deleteRecords(ctx context.Context, which func(name string) bool) error {
	store, err := c.js.ObjectStore(ctx, schema.RecordsBucket)
	if err != nil {
		return fmt.Errorf("open object store %s: %w", schema.RecordsBucket, err)
	}
	objects, err := store.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	for _, object := range objects {
		if !which(object.Name) {
			continue
		}
		// Not store.Delete: that leaves the bytes in the file and the name on the stream, and needs room for its marker.
		// The chunks go first: a repeat finds the rest by the name.
		for _, subject := range []string{
			"$O." + schema.RecordsBucket + ".C." + object.NUID,
			"$O." + schema.RecordsBucket + ".M." + base64.URLEncoding.EncodeToString([]byte(object.Name)),
		} {
			if err := c.eraseMessages(ctx, recordsStream, subject, nil); err != nil {
				return fmt.Errorf("delete records %s: %w", object.Name, err)
			}
		}
	}
	return nil
}

func recordsOf(prefix string) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(name, prefix) }
}
