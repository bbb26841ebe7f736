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

// objectsSubject matches the names of all objects.
const objectsSubject = "$O." + schema.RecordsBucket + ".M.>"

// putRecords stores the records of a large completion, each time as an object of its own: nothing may change what a stored
// completion points to. put are its messages' sequences, for takeBack.
func (c *Conn) putRecords(ctx context.Context, e schema.Event, r schema.Resource, records []json.RawMessage) (ref *schema.RecordsRef, put []uint64, err error) {
	body, err := schema.EncodeRecords(records)
	if err != nil {
		return nil, nil, err
	}
	// The fence refuses the completion of an erased account anyway; its records shall not even touch the disk.
	switch erased, err := c.Erased(ctx, e.Provider, e.Account()); {
	case err != nil:
		return nil, nil, err
	case erased:
		return nil, nil, ErrErased
	}
	sum, nuid := sha256.Sum256(body), rand.Text()
	ref = &schema.RecordsRef{
		Bucket: schema.RecordsBucket, SHA256: hex.EncodeToString(sum[:]),
		Name:  e.RecordsName(r) + "/" + nuid,
		Bytes: int64(len(body)), Count: len(records),
	}
	if put, err = c.putObject(ctx, ref.Name, nuid, body); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("put records %s: %w", ref.Name, err), c.takeBack(ctx, put))
	}
	return ref, put, nil
}

// putObject is the object store's Put, one acknowledged chunk after the other and the name last. The client's own sends all
// of them at once: when chunks are refused, for want of room, it stores a name that they are missing under.
func (c *Conn) putObject(ctx context.Context, name, nuid string, body []byte) (put []uint64, err error) {
	digest := sha256.New()
	digest.Write(body)
	object := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: name}, Bucket: schema.RecordsBucket, NUID: nuid,
		Size: uint64(len(body)), Digest: jetstream.GetObjectDigestValue(digest),
	}
	for chunk := range slices.Chunk(body, chunkBytes) {
		object.Chunks++
		msg := &nats.Msg{Subject: chunksSubject(nuid), Data: chunk}
		ack, err := c.publish(ctx, recordsStream, msg, jetstream.WithMsgID(fmt.Sprint(nuid, ":", object.Chunks)))
		if err != nil {
			return put, err
		}
		put = append(put, ack.Sequence)
	}
	info, err := json.Marshal(object)
	if err != nil {
		return put, err
	}
	ack, err := c.publish(ctx, recordsStream, &nats.Msg{Subject: objectSubject(name), Data: info}, jetstream.WithMsgID(nuid))
	if err != nil {
		return put, err
	}
	return append(put, ack.Sequence), nil
}

// takeBack overwrites and deletes records that were put for a completion that was not stored. It goes by what the broker
// said when it stored them, past the client, which reads the stream first: a worker needs no right to look at records.
func (c *Conn) takeBack(ctx context.Context, put []uint64) error {
	for _, sequence := range put {
		if err := c.deleteRecord(ctx, sequence); err != nil {
			return fmt.Errorf("take back message %d of %s: %w", sequence, recordsStream, err)
		}
	}
	return nil
}

func (c *Conn) deleteRecord(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	answer, err := c.nats.RequestWithContext(ctx, apiMessageDelete+recordsStream, fmt.Appendf(nil, `{"seq":%d}`, sequence))
	if err != nil {
		return err
	}
	var said struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &said); err != nil {
		return err
	}
	if said.Error != nil {
		return said.Error
	}
	return nil
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
