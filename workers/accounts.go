package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// accountShards is the number of groups of accounts. Of each group, one completion is in work
	// at a time, so the hands of one process do not disturb each other.
	accountShards = 256
	// accountsBackFor is the pause before a completion comes again whose state could not be stored.
	accountsBackFor = 10 * time.Second
)

// AccountsConfig is how the keeper of the states works. A zero field gets the default.
type AccountsConfig struct {
	// ReadyWhen are the resources that make an account ready. Empty: see schema.ReadyWhen.
	ReadyWhen schema.ReadyWhen `env:"ACCOUNT_READY_WHEN" help:"resources that make an account ready, such as income,paystubs (all but link, bank_accounts, tax_forms and notices)"`
	// Concurrency is the number of completions in hand at a time.
	Concurrency Concurrency `env:"WORKER_CONCURRENCY" envDefault:"16" help:"completions in hand at a time"`
	// StopFor defaults to the constant StopFor, and StoreFor to the constant StoreFor.
	StopFor  time.Duration
	StoreFor time.Duration
}

// AccountsVariables lists the environment variables of AccountsConfig.
func AccountsVariables() []process.Variable { return process.Variables(AccountsConfig{}) }

func (c AccountsConfig) withDefaults() AccountsConfig {
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.StopFor = cmp.Or(c.StopFor, StopFor)
	c.StoreFor = cmp.Or(c.StoreFor, StoreFor)
	return c
}

// Accounts keeps the states of accounts: it reads every completion, adds it to the state of its
// account, and stores the state if it changed.
type Accounts struct {
	conn     *stream.Conn
	accounts *stream.Accounts
	config   AccountsConfig
	log      *zap.Logger
	metrics  *accountsMetrics
	seed     maphash.Seed
	// shards are locks. Whoever waits for a lock gives up when its context ends.
	shards  [accountShards]*semaphore.Weighted
	failure failureLog
}

// NewAccounts returns a keeper of the states. Nothing starts before Run.
func NewAccounts(
	conn *stream.Conn, c AccountsConfig, log *zap.Logger, registry prometheus.Registerer,
) *Accounts {
	a := &Accounts{
		conn: conn, accounts: conn.Accounts(), config: c.withDefaults(), log: log,
		metrics: newAccountsMetrics(registry), seed: maphash.MakeSeed(),
		failure: failureLog{log: log},
	}
	for i := range a.shards {
		a.shards[i] = semaphore.NewWeighted(1)
	}
	return a
}

// Ready returns nil if completions can be read and states can be stored.
func (a *Accounts) Ready(ctx context.Context) error { return a.accounts.Ready(ctx) }

// Run works until ctx ends. Run then takes no new completions, finishes those in hand within
// StopFor, gives the others back and returns nil. If the broker loses the durable or the stream,
// Run waits for a new one.
func (a *Accounts) Run(ctx context.Context) error {
	inHand, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	finished := make(chan struct{})
	var timer sync.WaitGroup
	timer.Go(func() {
		awaitStop(ctx, a.conn, a.config.StopFor, finished)
		giveUp()
	})
	a.accounts.Consume(ctx, int(a.config.Concurrency), func(t *stream.Told) { a.work(inHand, t) })
	close(finished)
	timer.Wait()
	return nil
}

// errNoState means that a completion is part of no state: it names a person and no account.
var errNoState = errors.New("the completion names no account")

// work adds one completion to the state of its account: check, merge, settle, log. A crash after
// any step costs a repeat of the step.
func (a *Accounts) work(ctx context.Context, t *stream.Told) {
	err := t.Err
	if err == nil {
		err = a.add(ctx, t)
	}
	result := resultOf(t, err)
	a.metrics.completions.WithLabelValues(result).Inc()
	unsettled := a.settle(t, result)
	switch result {
	case resultUndecodable, resultTooLarge:
		a.log.Error("completion is part of no state", zap.String("subject", t.Subject),
			zap.Uint64("sequence", t.Sequence), zap.Error(err))
	case resultLater:
		a.failure.record(err)
	default:
		a.failure.record(nil)
	}
	if unsettled != nil { // the completion comes again, and changes nothing
		a.log.Debug("completion not settled", zap.Error(unsettled))
	}
}

// Results of the work on a completion, for the metrics.
const (
	resultApplied     = "applied"
	resultSkipped     = "skipped"
	resultUndecodable = "undecodable"
	resultTooLarge    = "too_large"
	resultLater       = "later"
)

// resultOf is the one place that says what an error means for a completion.
func resultOf(t *stream.Told, err error) string {
	switch {
	case t.Err != nil:
		return resultUndecodable
	case errors.Is(err, errNoState):
		return resultSkipped
	case errors.Is(err, stream.ErrTooLarge):
		return resultTooLarge
	case err != nil:
		return resultLater
	default:
		return resultApplied
	}
}

func (a *Accounts) settle(t *stream.Told, result string) error {
	switch result {
	case resultUndecodable, resultTooLarge:
		return t.Never(schema.Reason(result))
	case resultLater:
		return t.GiveBack(accountsBackFor)
	default:
		return t.Done()
	}
}

// add merges the completion into the stored state. If another process changes the state meanwhile,
// add reads the state again.
func (a *Accounts) add(ctx context.Context, t *stream.Told) error {
	if t.Completion.Data.AccountID == nil {
		return errNoState
	}
	shard := a.shards[maphash.String(a.seed, t.Account)%accountShards]
	if err := shard.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait for the account %s: %w", t.Account, err)
	}
	defer shard.Release(1)
	ctx, cancel := context.WithTimeout(ctx, a.config.StoreFor)
	defer cancel()
	for {
		read, err := a.conn.State(ctx, t.Completion.Data.Provider, t.Account)
		isDeletion := t.Completion.Data.Outcome == schema.Deleted
		if isDeletion && errors.Is(err, stream.ErrBadState) {
			err = nil // what the account was before is of no interest
		}
		if err != nil {
			return err
		}
		next, changed := read.Merge(t.Completion, a.config.ReadyWhen, time.Now())
		if !changed {
			return nil
		}
		stored, err := a.conn.StoreState(ctx, read, next)
		if err != nil {
			return err
		}
		if stored {
			a.logChange(t, read.Account, next)
			return nil
		}
		a.metrics.conflicts.Inc()
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("store the state of account %s: %w", t.Account, err)
		}
	}
}

// logChange writes the only log line of a new state, and counts a change of the status.
func (a *Accounts) logChange(t *stream.Told, former, next schema.Account) {
	if former.Data.Status != next.Data.Status {
		a.metrics.changes.WithLabelValues(
			string(next.Data.Provider), string(next.Data.Status)).Inc()
	}
	a.log.Info("account",
		zap.String("provider", string(next.Data.Provider)),
		zap.String("account", t.Account),
		zap.String("status", string(next.Data.Status)),
		zap.String("former", string(former.Data.Status)),
		zap.String("completion", t.Completion.ID),
		zap.String("resource", string(t.Completion.Data.Resource)),
		zap.String("outcome", string(t.Completion.Data.Outcome)),
		zap.Int("waiting_for", len(next.Data.WaitingFor)))
}

// failureLog logs why states are not stored, and when they are again. Of equal failures it logs the
// first.
type failureLog struct {
	log  *zap.Logger
	mu   sync.Mutex
	text string
}

func (f *failureLog) record(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	isFirst := (f.text == "") != (text == "")
	f.text = text
	switch {
	case isFirst && err != nil:
		f.log.Warn("states of accounts not stored", zap.Error(err))
	case isFirst:
		f.log.Info("states of accounts stored again")
	}
}

// accountsMetrics are the metrics of the keeper. No label names a person or an account.
type accountsMetrics struct {
	completions *prometheus.CounterVec
	changes     *prometheus.CounterVec
	conflicts   prometheus.Counter
}

func newAccountsMetrics(registry prometheus.Registerer) *accountsMetrics {
	return &accountsMetrics{
		completions: registerOnce(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wagewire_accounts_completions_total",
			Help: "Completions read, by result: applied, skipped (of a person), undecodable, " +
				"too_large, or later.",
		}, []string{"result"})),
		changes: registerOnce(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wagewire_accounts_changes_total",
			Help: "Changes into a status.",
		}, []string{"provider", "status"})),
		conflicts: registerOnce(registry, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "wagewire_accounts_conflicts_total",
			Help: "States made again because another process had changed them.",
		})),
	}
}
