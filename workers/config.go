package workers

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/workers/api"
)

// Limits of a job.
const (
	// PauseFor is the time between two probes of a paused queue.
	PauseFor = 30 * time.Second
	// StopFor is the time a stopping worker has to finish the jobs in hand. Unfinished jobs go back
	// to their queue.
	StopFor = 25 * time.Second
	// StoreFor is the time limit for storing a completion with its dead letter. After StoreFor the
	// event goes back: without the limit, an absent stream would hold every job in hand and nothing
	// would be logged.
	StoreFor = 30 * time.Second
	// FreshFor is the age up to which a first delivery is surely the first. If an operator deletes
	// a queue and creates it again, the queue delivers every stored event again, and counts each
	// delivery as the first.
	FreshFor = time.Minute
	// ContractTries is the number of attempts before a response that breaks the API's contract is
	// final.
	ContractTries = 5
	// ForbiddenAccountsMax is the number of different accounts that the provider may refuse in a
	// row with 403, without one success, before the refusals count as refused credentials.
	ForbiddenAccountsMax = 25
	// HandsPerRetryHand is how many hands for fresh events a queue has for each hand for retries,
	// and for each hand for replays.
	HandsPerRetryHand = 4
)

// storeLadder has the pauses while the broker does not store a completion. The ladder has no end:
// the event has no completion yet.
var storeLadder = Ladder{30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute}

const (
	// concurrencyMax is the largest WORKER_CONCURRENCY.
	concurrencyMax = 1000
	// stepsMax is the length of the longest ladder.
	stepsMax = 100
)

// Config is how a worker works. A zero field gets the default.
type Config struct {
	// Concurrency is the number of fresh events in hand at a time, for each queue. A quarter as
	// many hands, and at least one, are for retries, and as many again for replays, so that neither
	// delays a fresh event.
	Concurrency Concurrency `env:"WORKER_CONCURRENCY" envDefault:"16" help:"fresh events of one queue in hand at a time; a quarter as many more for retries, and for replays"`
	Ladders     Ladders
	// AnswerBytesMax is the number of bytes of provider answers that the process holds at a time.
	AnswerBytesMax Bytes `env:"ANSWER_BYTES_MAX" envDefault:"192MiB" help:"memory for the answers of providers; calls wait when it is used up"`
	// AllowHTTP allows calls without TLS to a provider's real host.
	AllowHTTP bool `env:"ALLOW_HTTP" help:"1 allows http:// to a provider's real host: secrets and payroll data are then readable on the way (refused)"`
	// Console is where operators find the page of an event. The log line of a dead letter has it.
	Console process.ConsoleConfig
	// PauseFor defaults to the constant PauseFor.
	PauseFor time.Duration
	// StopFor defaults to the constant StopFor.
	StopFor time.Duration
	// StoreFor defaults to the constant StoreFor.
	StoreFor time.Duration
	// Tracing takes the spans of the jobs. Nil: no spans.
	Tracing trace.TracerProvider
}

// Ladders are the pauses between the attempts at an event. Each class of failures counts its own
// steps. The default ladders span 68 hours of outage and 13 minutes of lag.
type Ladders struct {
	// Retry has the pauses during an outage of the provider.
	Retry Ladder `env:"RETRY_LADDER" envDefault:"30s,2m,10m,30m,2h,5h,10h,10h,10h,10h,10h,10h" help:"pauses between attempts while a provider is down"`
	// NotReady has the pauses while the provider's data lags behind its webhook.
	NotReady Ladder `env:"NOT_READY_LADDER" envDefault:"5s,30s,2m,10m" help:"pauses while the provider's data lags behind its webhook"`
}

// Variables lists the environment variables of Config.
func Variables() []process.Variable { return process.Variables(Config{}) }

// ConfigFromEnv reads Config from the environment. Its errors name the variable to change.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var c Config
	err := process.ReadConfig(getenv, &c)
	return c, err
}

// withDefaults returns c with the default in every zero field.
func (c Config) withDefaults() Config {
	defaults, err := ConfigFromEnv(func(string) string { return "" })
	if err != nil {
		panic(err) // a default in a tag of Config cannot be parsed
	}
	c.Concurrency = cmp.Or(c.Concurrency, defaults.Concurrency)
	if len(c.Ladders.Retry) == 0 {
		c.Ladders.Retry = defaults.Ladders.Retry
	}
	if len(c.Ladders.NotReady) == 0 {
		c.Ladders.NotReady = defaults.Ladders.NotReady
	}
	c.AnswerBytesMax = cmp.Or(c.AnswerBytesMax, defaults.AnswerBytesMax)
	c.PauseFor = cmp.Or(c.PauseFor, PauseFor)
	c.StopFor = cmp.Or(c.StopFor, StopFor)
	c.StoreFor = cmp.Or(c.StoreFor, StoreFor)
	return c
}

// Concurrency is a number of events in hand, from 1 to 1000.
type Concurrency int

// UnmarshalText parses the value of an environment variable.
func (c *Concurrency) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > concurrencyMax {
		return fmt.Errorf("%q is not a number from 1 to %d", text, concurrencyMax)
	}
	*c = Concurrency(n)
	return nil
}

// Bytes is a number of bytes with room for several answers of a provider: at least api.MemoryMin.
type Bytes int64

// bytesUnits are the units of Bytes. A number without a unit counts single bytes.
var bytesUnits = []struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// UnmarshalText parses the value of an environment variable.
func (b *Bytes) UnmarshalText(text []byte) error {
	for _, unit := range bytesUnits {
		digits, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/unit.size {
			break
		}
		if n*unit.size < api.MemoryMin {
			return fmt.Errorf("%q is under %dMiB, three of the largest answers",
				text, api.MemoryMin>>20)
		}
		*b = Bytes(n * unit.size)
		return nil
	}
	return fmt.Errorf("%q is not a number of bytes, such as 192MiB", text)
}

// Ladder is a list of pauses. Step n is the pause after the nth failure of a class.
type Ladder []time.Duration

const ladderCure = "write durations with commas between, such as 30s,2m,10m"

// UnmarshalText parses the value of an environment variable: durations with commas between.
func (l *Ladder) UnmarshalText(text []byte) error {
	var steps Ladder
	for step := range strings.SplitSeq(string(text), ",") {
		pause, err := time.ParseDuration(strings.TrimSpace(step))
		if err != nil || pause <= 0 {
			return fmt.Errorf("%q is not a duration over 0: %s", step, ladderCure)
		}
		steps = append(steps, pause)
	}
	if len(steps) > stepsMax {
		return fmt.Errorf("it has %d steps, and may have %d at most", len(steps), stepsMax)
	}
	*l = steps
	return nil
}
