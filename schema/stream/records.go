package stream

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// The stream and the subjects of the object store, as NATS document ADR-20 defines them. An object
// is a row of messages: first the chunks, last the name.
const (
	recordsStream = "OBJ_" + schema.RecordsBucket
	chunkBytes    = 128 << 10
	// objectsSubject matches the names of all objects.
	objectsSubject = "$O." + schema.RecordsBucket + ".M.>"
)

func chunksSubject(nuid string) string { return "$O." + schema.RecordsBucket + ".C." + nuid }

func objectSubject(name string) string {
	return "$O." + schema.RecordsBucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

// putRecords stores the records of a large completion. Each call makes an object of its own,
// because nothing may change the records of a stored completion. sequences are the messages of the
// object, for deleteRecords.
func (c *Conn) putRecords(
	ctx context.Context, e schema.Event, r schema.Resource, records []json.RawMessage,
) (ref *schema.RecordsRef, sequences []uint64, err error) {
	body, err := schema.EncodeRecords(records)
	if err != nil {
		return nil, nil, err
	}
	// The fence will refuse the completion of an erased account. Its records must not be
	// written to disk before.
	erased, err := c.Erased(ctx, e.Provider, e.Account())
	if err != nil {
		return nil, nil, err
	}
	if erased {
		return nil, nil, ErrErased
	}
	nuid := rand.Text()
	ref = &schema.RecordsRef{
		Bucket: schema.RecordsBucket,
		Name:   e.RecordsName(r) + "/" + nuid,
		SHA256: sha256Of(body),
		Bytes:  int64(len(body)),
		Count:  len(records),
	}
	sequences, err = c.putObject(ctx, ref.Name, nuid, body)
	if err != nil {
		err = fmt.Errorf("put records %s: %w", ref.Name, err)
		return nil, nil, errors.Join(err, c.deleteRecords(ctx, sequences))
	}
	return ref, sequences, nil
}

// putObject stores an object chunk by chunk, each acknowledged before the next, and its name last.
// The client's own Put sends all messages at once: if the broker has no room and refuses chunks, it
// stores the name of an incomplete object. With an error, putObject returns the sequences of the
// messages stored so far.
func (c *Conn) putObject(
	ctx context.Context, name, nuid string, body []byte,
) (sequences []uint64, err error) {
	digest := sha256.New()
	digest.Write(body)
	object := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: name},
		Bucket:     schema.RecordsBucket,
		NUID:       nuid,
		Size:       uint64(len(body)),
		Digest:     jetstream.GetObjectDigestValue(digest),
	}
	for chunk := range slices.Chunk(body, chunkBytes) {
		object.Chunks++
		msg := &nats.Msg{Subject: chunksSubject(nuid), Data: chunk}
		id := fmt.Sprint(nuid, ":", object.Chunks)
		published, err := c.publish(ctx, recordsStream, msg, jetstream.WithMsgID(id))
		if err != nil {
			return sequences, err
		}
		sequences = append(sequences, published.Sequence)
	}
	info, err := json.Marshal(object)
	if err != nil {
		return sequences, err
	}
	msg := &nats.Msg{Subject: objectSubject(name), Data: info}
	published, err := c.publish(ctx, recordsStream, msg, jetstream.WithMsgID(nuid))
	if err != nil {
		return sequences, err
	}
	return append(sequences, published.Sequence), nil
}

// deleteRecords overwrites and deletes the messages of an object whose completion was not stored.
func (c *Conn) deleteRecords(ctx context.Context, sequences []uint64) error {
	for _, sequence := range sequences {
		if err := c.deleteRecord(ctx, sequence); err != nil {
			return fmt.Errorf("take back message %d of %s: %w", sequence, recordsStream, err)
		}
	}
	return nil
}

// deleteRecord sends the broker's own request. The client's SecureDeleteMsg looks the stream up
// first, and a worker has no right to look at the records.
func (c *Conn) deleteRecord(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	request := fmt.Appendf(nil, `{"seq":%d}`, sequence)
	response, err := c.nats.RequestWithContext(ctx, apiMessageDelete+recordsStream, request)
	if err != nil {
		return err
	}
	var deletion struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(response.Data, &deletion); err != nil {
		return err
	}
	if deletion.Error != nil {
		return deletion.Error
	}
	return nil
}

// Records reads the records of a large completion, and checks their hash.
func (c *Conn) Records(ctx context.Context, ref schema.RecordsRef) ([]json.RawMessage, error) {
	store, err := c.js.ObjectStore(ctx, ref.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", ref.Bucket, err)
	}
	body, err := store.GetBytes(ctx, ref.Name)
	if err != nil {
		return nil, fmt.Errorf("get records %s: %w", ref.Name, err)
	}
	if sha256Of(body) != ref.SHA256 {
		return nil, fmt.Errorf("get records %s: the bytes are not those of sha256 %s",
			ref.Name, ref.SHA256)
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

// eraseObject overwrites and deletes an object. The client's own Delete leaves the bytes in the
// file and the name on the stream, and needs room for a marker. The chunks go first: if an erasure
// stops in between, the next one finds the rest by the name.
func (c *Conn) eraseObject(ctx context.Context, name, nuid string) error {
	for _, subject := range []string{chunksSubject(nuid), objectSubject(name)} {
		if err := c.eraseMessages(ctx, recordsStream, subject, nil); err != nil {
			return fmt.Errorf("delete records %s: %w", name, err)
		}
	}
	return nil
}
