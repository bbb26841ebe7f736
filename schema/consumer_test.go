package schema_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// subscriber is your program. The same completion may come again: keep each id once.
type subscriber struct {
	// store stores the records of a completion. Each record has the provider's digits.
	store func(completion schema.Completion, records []json.RawMessage) error
	// remove deletes what you have of the completion's account.
	remove func(completion schema.Completion) error
}

// consume reads the completions of team lending until ctx ends. seed is the file with the team's
// key; the sandbox needs none.
func consume(ctx context.Context, url, seed string, s subscriber) error {
	options := []nats.Option{nats.MaxReconnects(-1)} // the broker may be away for long
	if seed != "" {
		key, err := nats.NkeyOptionFromSeed(seed)
		if err != nil {
			return err
		}
		options = append(options, key)
	}
	nc, err := nats.Connect(url, options...)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.NewWithDomain(nc, "wagewire")
	if err != nil {
		return err
	}
	consumer, err := js.Consumer(ctx, "WAGEWIRE_COMPLETIONS", "lending")
	if err != nil {
		return err
	}
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		if err := handle(nc, msg.Data(), s); err != nil {
			_ = msg.NakWithDelay(time.Minute) // it comes again
			return
		}
		_ = msg.Ack()
	}, jetstream.PullMaxMessages(10))
	if err != nil {
		return err
	}
	defer consuming.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-consuming.Closed():
		return errors.New("no more completions come: is the durable still there?")
	}
}

func handle(nc *nats.Conn, body []byte, s subscriber) error {
	var completion schema.Completion
	if err := json.Unmarshal(body, &completion); err != nil {
		return err
	}
	if completion.Data.Outcome == schema.Deleted {
		return s.remove(completion)
	}
	ref := completion.Data.RecordsRef
	if ref == nil {
		return s.store(completion, completion.Data.Records)
	}
	records, err := fetchRecords(nc, *ref)
	if err != nil {
		return err
	}
	return s.store(completion, records)
}

// fetchRecords reads the records of a large completion, chunk by chunk.
func fetchRecords(nc *nats.Conn, ref schema.RecordsRef) ([]json.RawMessage, error) {
	const request = "$JS.wagewire.API.DIRECT.GET.OBJ_WAGEWIRE_RECORDS."
	var text []byte
	for n := range ref.Chunks {
		chunk, err := nc.Request(request+ref.ChunkSubject(n+1), nil, 5*time.Second)
		if err != nil {
			return nil, err
		}
		if status := chunk.Header.Get("Status"); status != "" {
			return nil, fmt.Errorf("chunk %d of %s: status %s", n+1, ref.Subject, status)
		}
		text = append(text, chunk.Data...)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != ref.SHA256 {
		return nil, fmt.Errorf("the chunks of %s do not have its sha256", ref.Subject)
	}
	var records []json.RawMessage
	err := json.Unmarshal(text, &records)
	return records, err
}
