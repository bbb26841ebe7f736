package least

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams of the least line, and the bucket for what is too large for a message.
const (
	EventsStream      = "LEAST_EVENTS"
	CompletionsStream = "LEAST_COMPLETIONS"
	RecordsBucket     = "LEAST_RECORDS"

	eventsSubject      = "least.events."
	completionsSubject = "least.completions."
)

// Config is how to run a least program.
type Config struct {
	// NATSURL is the address of the broker. Several addresses are separated by commas.
	NATSURL string
	// Addr is where ingress listens.
	Addr string
	// Secret signs the webhooks, and is the worker's credential.
	Secret string
	// Type is the type of the webhooks of a worker, as Pinwheel spells it.
	Type string
	// APIURL is the address of Pinwheel's API.
	APIURL string
	// Hands is how many events a worker has in work at the same time.
	Hands int
}

// Prepare makes the streams, the bucket and a durable consumer for each type. Duplicates are
// remembered as long as in the streams of the real line.
func Prepare(
	ctx context.Context, js jetstream.JetStream, replicas int, types []string,
) error {
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: EventsStream, Subjects: []string{eventsSubject + ">"},
		Discard: jetstream.DiscardNew, Duplicates: 24 * time.Hour, Replicas: replicas,
	})
	if err != nil {
		return err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: CompletionsStream, Subjects: []string{completionsSubject + ">"},
		Discard: jetstream.DiscardNew, Duplicates: time.Hour, Replicas: replicas,
	})
	if err != nil {
		return err
	}
	_, err = js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket: RecordsBucket, Replicas: replicas,
	})
	if err != nil {
		return err
	}
	for _, t := range types {
		_, err := js.CreateConsumer(ctx, EventsStream, jetstream.ConsumerConfig{
			Durable: durable(t), FilterSubject: eventsSubject + t,
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func connect(c Config) (*nats.Conn, jetstream.JetStream, error) {
	conn, err := nats.Connect(c.NATSURL)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", c.NATSURL, err)
	}
	js, err := jetstream.New(conn)
	return conn, js, err
}
