package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/normal"
)

// A program takes what comes until Kubernetes, systemd or a person ends it. Here the last
// completion ends it.
func Example() {
	getenv, stopBroker, err := serveExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stopBroker()

	// A main begins here, with os.Getenv.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c, err := client.Connect(ctx, client.ConfigFromEnv("lending", getenv))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	subscription := client.Subscription{
		Aside: client.AsideDir(filepath.Join(os.TempDir(), "wagewire-aside")),
		Hands: 1, // so that the output has an order
	}
	err = c.Subscribe(ctx, subscription, client.Funcs{
		OnStore: func(ctx context.Context, completion *client.Completion) error {
			for record, err := range completion.Records(ctx) {
				if err != nil {
					return err
				}
				fmt.Println(completion.ID, completion.Data.Outcome, string(record))

				n, err := normal.OfCompletion(completion.Data, record)
				if err != nil {
					return client.Poison(err)
				}
				fmt.Println("paid on", n.Paystub.PayDate, n.Paystub.NetPay.Minor, "cents")
			}
			return nil
		},
		OnRemove: func(_ context.Context, completion *client.Completion) error {
			fmt.Println(completion.ID, completion.Data.Outcome)
			return syscall.Kill(os.Getpid(), syscall.SIGTERM)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	account, err := c.Account(context.Background(), schema.Pinwheel, "a-1")
	if errors.Is(err, client.ErrNoAccount) {
		fmt.Println("no worker keeps the states of accounts here", account.Data.Status)
	}
	// Output:
	// pinwheel:e-1:paystubs succeeded {"id":"p-1","pay_date":"2026-01-30","net_pay_amount":90071992547409931,"currency":"USD"}
	// paid on 2026-01-30 90071992547409931 cents
	// truv:e-2:link deleted
	// no worker keeps the states of accounts here
}

// Truv's statements do not name their employment, and the completion does. A Mirror keeps its word
// with each paystub.
func ExampleMirror_Entries() {
	statements := paystubsOf("l-1", "e-1")
	statements.Provider = schema.Truv
	c := schema.NewCompletion(statements, schema.Paystubs, schema.Succeeded, at)
	c.Data.Scope = new(schema.Delta)
	c.Data.EmploymentID = "employment-1"
	var mirror client.Mirror
	record := json.RawMessage(`{"id":"s-1","pay_date":"2026-01-30","net_pay":"1131.470"}`)
	if err := mirror.Apply(c, []json.RawMessage{record}); err != nil {
		fmt.Println(err)
		return
	}

	for _, entry := range mirror.Entries(schema.Truv, "l-1", schema.Paystubs) {
		n, err := normal.OfCompletion(schema.CompletionData{
			Provider: schema.Truv, Resource: schema.Paystubs, EmploymentID: entry.EmploymentID,
		}, entry.Record)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n.Paystub.EmploymentID, n.Paystub.PayDate, n.Paystub.NetPay.Minor, "cents")
	}
	// Output:
	// employment-1 2026-01-30 113147 cents
}

// serveExample starts a broker for Example, with a paystub and a deletion.
func serveExample() (getenv func(string) string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "wagewire-example-")
	if err != nil {
		return nil, nil, err
	}
	i, err := start(dir)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() {
		i.stop()
		_ = os.RemoveAll(dir)
	}
	paystubs := paystubsOf("a-1", "e-1")
	deletion := deletionOf("l-1", "e-2")
	const record = `{"id":"p-1","pay_date":"2026-01-30","net_pay_amount":90071992547409931,"currency":"USD"}`
	err = errors.Join(
		i.put(context.Background(), paystubs,
			schema.NewCompletion(paystubs, schema.Paystubs, schema.Succeeded, at), record),
		i.put(context.Background(), deletion,
			schema.NewCompletion(deletion, schema.Link, schema.Deleted, at)),
	)
	if err != nil {
		stop()
	}
	getenv = i.server.Getenv("NATS_SEED_FILE", i.config.SeedFile)
	return getenv, stop, err
}
