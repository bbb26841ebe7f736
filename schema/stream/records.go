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
	"path"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// The object store's stream and subjects, as the broker's ADR-20 lays them out.
const (
	recordsStream = "OBJ_" + schema.RecordsBucket
	chunkBytes    = 128 << 10
)

func chunksSubject(nuid string) string { return "$O." + schema.RecordsBucket + ".C." + nuid }

func objectSubject(name string) string {
	return "$O." + schema.RecordsBucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

// putRecords stores the records of a large completion, each time as an object of its own: nothing may change what a stored
// completion points to.
func (c *Conn) putRecords(ctx context.Context, e schema.Event, r schema.Resource, records []json.RawMessage) (*schema.RecordsRef, error) {
	body, err := schema.EncodeRecords(records)
	if err != nil {
		return nil, err
	}
	// The fence refuses the completion of an erased account anyway; its records shall not even touch the disk.
	switch erased, err := c.Erased(ctx, e.Provider, e.Account()); {
	case err != nil:
		return nil, err
	case erased:
		return nil, ErrErased
	}
	sum, nuid := sha256.Sum256(body), rand.Text()
	ref := &schema.RecordsRef{
		Bucket: schema.RecordsBucket, SHA256: hex.EncodeToString(sum[:]),
		Name:  e.RecordsName(r) + "/" + nuid,
		Bytes: int64(len(body)), Count: len(records),
	}
	if err := c.putObject(ctx, ref.Name, nuid, body); err != nil {
		return nil, errors.Join(fmt.Errorf("put records %s: %w", ref.Name, err), c.eraseObject(ctx, ref.Name, nuid))
	}
	return ref, nil
}

// putObject is the object store's Put, one acknowledged chunk after the other and the name last. The client's own sends all
// of them at once: when chunks are refused, for want of room, it stores a name that they are missing under.
func (c *Conn) putObject(ctx context.Context, name, nuid string, body []byte) error {
	digest := sha256.New()
	digest.Write(body)
	object := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: name}, Bucket: schema.RecordsBucket, NUID: nuid,
		Size: uint64(len(body)), Digest: jetstream.GetObjectDigestValue(digest),
	}
	for chunk := range slices.Chunk(body, chunkBytes) {
		object.Chunks++
		msg := &nats.Msg{Subject: chunksSubject(nuid), Data: chunk}
		if _, err := c.publish(ctx, recordsStream, msg, jetstream.WithMsgID(fmt.Sprint(nuid, ":", object.Chunks))); err != nil {
			return err
		}
	}
	info, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = c.publish(ctx, recordsStream, &nats.Msg{Subject: objectSubject(name), Data: info}, jetstream.WithMsgID(nuid))
	return err
}

// eraseObject overwrites and deletes an object. Not the store's Delete: that leaves the bytes in the file and the name on
// the stream, and needs room for its marker. The chunks go first: a repeat finds the rest by the name.
func (c *Conn) eraseObject(ctx context.Context, name, nuid string) error {
	for _, subject := range []string{chunksSubject(nuid), objectSubject(name)} {
		if err := c.eraseMessages(ctx, recordsStream, subject, nil); err != nil {
			return fmt.Errorf("delete records %s: %w", name, err)
		}
	}
	return nil
}

// dropRecords deletes records that were put for a completion that was not stored, unless the one that was points to them:
// its acknowledgement was lost.
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
	return c.eraseObject(ctx, name, path.Base(name))
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

// eraseRecords erases every object whose name begins with the prefix.
func (c *Conn) eraseRecords(ctx context.Context, prefix string) error {
	store, err := c.js.ObjectStore(ctx, schema.RecordsBucket)
	if err != nil {
		return fmt.Errorf("open object store %s: %w", schema.RecordsBucket, err)
	}
	objects, err := store.List(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		return fmt.Errorf("list records: %w", err)
	}
	for _, object := range objects {
		if !strings.HasPrefix(object.Name, prefix) {
			continue
		}
		if err := c.eraseObject(ctx, object.Name, object.NUID); err != nil {
			return err
		}
	}
	return nil
}
