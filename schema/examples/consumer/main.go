// Consumer reads the completions of team lending until SIGTERM or SIGINT.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/wagewire/wagewire/schema/client"
)

// Yours. The same completion may come again, and completions of an account come in any order.
func store(ctx context.Context, c *client.Completion) error {
	count := 0
	for _, err := range c.Records(ctx) { // each has the provider's digits
		if err != nil {
			return err
		}
		count++
	}
	_, err := fmt.Println(c.ID, c.Data.Outcome, count)
	return err
}

// Yours. Delete what you have of the account.
func remove(_ context.Context, c *client.Completion) error {
	_, err := fmt.Println(c.ID, c.Data.Outcome)
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// NATS_URL, NATS_SEED_FILE, NATS_CA_FILE
	c, err := client.Connect(ctx, client.ConfigFromEnv("lending", os.Getenv))
	if err != nil {
		return err
	}
	defer c.Close()
	subscription := client.Subscription{Aside: client.AsideDir("aside")}
	return c.Subscribe(ctx, subscription, client.Funcs{OnStore: store, OnRemove: remove})
}
