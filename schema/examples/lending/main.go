// Lending answers the eight questions of a team that lends, with the kit alone. The questions come
// as JSON on standard input; the answers go as JSON to standard output. The same program is in
// lending.ts and lending.py.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/normal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lending:", err)
		os.Exit(1)
	}
}

// questions name the accounts and the durables of the team.
type questions struct {
	Paid    string `json:"paid"`
	Large   string `json:"large"`
	Durable string `json:"durable"`
	Changes string `json:"changes"`
}

type answers struct {
	Complete schema.AccountStatus    `json:"complete"`
	Income   income                  `json:"income"`
	Paystubs sums                    `json:"paystubs"`
	Account  map[schema.Resource]int `json:"account"`
	Changed  []string                `json:"changed"`
	Broken   []string                `json:"broken"`
	Large    sums                    `json:"large"`
	Deleted  []string                `json:"deleted"`
	Left     int                     `json:"left"`
}

type income struct {
	Amount   normal.Decimal `json:"amount"`
	Unit     string         `json:"unit"`
	Currency string         `json:"currency"`
}

// sums are exact: integers of the minor unit, and decimals.
type sums struct {
	Count int    `json:"count"`
	Net   string `json:"net"`
	Hours string `json:"hours"`
}

func run(ctx context.Context, in io.Reader, out io.Writer) error {
	var q questions
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return fmt.Errorf("read the questions: %w", err)
	}
	c, err := client.Connect(ctx, client.ConfigFromEnv("lending", os.Getenv))
	if err != nil {
		return err
	}
	defer c.Close()
	l := lender{broken: map[string]schema.Provider{}, deleted: map[string]schema.Provider{}}
	err = c.CatchUp(ctx, client.Subscription{Durable: q.Durable}, &l)
	if err != nil {
		return err
	}
	a, err := l.answer(ctx, c, q)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(a)
}

// lender keeps a copy of the records, and the accounts that lost their link or were deleted.
type lender struct {
	client.Mirror

	mu      sync.Mutex
	broken  map[string]schema.Provider
	deleted map[string]schema.Provider
}

// Store keeps the records, and remembers an account that the provider cannot reach.
func (l *lender) Store(ctx context.Context, c *client.Completion) error {
	if c.Data.Outcome == schema.Disconnected {
		l.mu.Lock()
		l.broken[*c.Data.AccountID] = c.Data.Provider
		l.mu.Unlock()
	}
	return l.Mirror.Store(ctx, c)
}

// Remove deletes the records of the account.
func (l *lender) Remove(ctx context.Context, c *client.Completion) error {
	l.mu.Lock()
	l.deleted[*c.Data.AccountID] = c.Data.Provider
	l.mu.Unlock()
	return l.Mirror.Remove(ctx, c)
}

func (l *lender) answer(ctx context.Context, c *client.Client, q questions) (answers, error) {
	a := answers{Account: map[schema.Resource]int{}}
	state, err := c.Account(ctx, schema.Pinwheel, q.Paid)
	if err != nil {
		return a, err
	}
	a.Complete = state.Data.Status
	for _, r := range resources() {
		a.Account[r] = len(l.Records(schema.Pinwheel, q.Paid, r))
	}
	for _, record := range l.Records(schema.Pinwheel, q.Paid, schema.Income) {
		a.Income, err = readIncome(record)
		if err != nil {
			return a, err
		}
	}
	a.Paystubs, err = add(l.Records(schema.Pinwheel, q.Paid, schema.Paystubs))
	if err != nil {
		return a, err
	}
	a.Large, err = add(l.Records(schema.Pinwheel, q.Large, schema.Paystubs))
	if err != nil {
		return a, err
	}
	a.Broken, err = l.stillBroken(ctx, c)
	if err != nil {
		return a, err
	}
	a.Deleted = slices.Sorted(maps.Keys(l.deleted))
	for account, provider := range l.deleted {
		for _, r := range schema.WorkerResources() {
			a.Left += len(l.Records(provider, account, r))
		}
	}
	a.Changed, err = changes(ctx, c, q.Changes)
	return a, err
}

// resources are those that a lender looks at.
func resources() []schema.Resource {
	return []schema.Resource{
		schema.Employment, schema.Identity, schema.Income, schema.Paystubs, schema.Shifts,
	}
}

// stillBroken asks for the present state: an account may have been connected again, or deleted.
func (l *lender) stillBroken(ctx context.Context, c *client.Client) ([]string, error) {
	var broken []string
	for account, provider := range l.broken {
		state, err := c.Account(ctx, provider, account)
		if err != nil {
			return nil, err
		}
		if state.Data.Status == schema.AccountDisconnected {
			broken = append(broken, account)
		}
	}
	slices.Sort(broken)
	return broken, nil
}

// changes are the completions of a durable that begins at the time in question.
func changes(ctx context.Context, c *client.Client, durable string) ([]string, error) {
	var mu sync.Mutex
	var ids []string
	note := func(_ context.Context, c *client.Completion) error {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, c.ID)
		return nil
	}
	err := c.CatchUp(ctx, client.Subscription{Durable: durable},
		client.Funcs{OnStore: note, OnRemove: note})
	slices.Sort(ids)
	return ids, err
}

func readIncome(record json.RawMessage) (income, error) {
	n, err := normal.Of(schema.Pinwheel, schema.Income, record)
	if err != nil || n.Income.Compensation == nil || n.Income.Unit == nil {
		return income{}, errors.Join(err, errNotSaid)
	}
	pay := n.Income.Compensation
	return income{Amount: pay.Minor, Unit: n.Income.Unit.Word, Currency: pay.Currency}, nil
}

// errNotSaid means that a record lacks what the question is about. A program of a team decides what
// to do then.
var errNotSaid = errors.New("the provider does not say it")

func add(paystubs []json.RawMessage) (sums, error) {
	net := new(big.Int)
	hours := new(big.Rat)
	for _, record := range paystubs {
		n, err := normal.Of(schema.Pinwheel, schema.Paystubs, record)
		if err != nil || n.Paystub.NetPay == nil {
			return sums{}, errors.Join(err, errNotSaid)
		}
		net.Add(net, big.NewInt(n.Paystub.NetPay.Minor))
		for _, earning := range n.Paystub.Earnings {
			if worked, ok := new(big.Rat).SetString(string(earning.Hours)); ok {
				hours.Add(hours, worked)
			}
		}
	}
	digits, _ := hours.FloatPrec()
	return sums{Count: len(paystubs), Net: net.String(), Hours: hours.FloatString(digits)}, nil
}
