package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	planCommand  = "wagewire provision plan"
	applyCommand = "wagewire provision apply"
)

// checkBroker checks the broker and what is on it.
func (p Patient) checkBroker(ctx context.Context) []Check {
	if p.Unreachable != nil {
		checks := []Check{bad("broker", "", p.Unreachable.Error(),
			"start NATS, or set NATS_URL and NATS_CREDS_FILE")}
		for _, name := range []string{"key", "streams", "clock"} {
			checks = append(checks, skipped(name, "broker", "the broker cannot be asked"))
		}
		return checks
	}
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	changes, err := p.Op.Plan(ctx, p.Topology)
	key, mayAsk := judgeKey(err)
	if !mayAsk {
		return []Check{
			ok("broker", "", fmt.Sprintf("nats-server %s at %s", p.Op.ServerVersion(), p.Server)),
			key, skipped("streams", "broker", "the key has no right to ask"),
			skipped("clock", "broker", "the key has no right to ask"),
		}
	}
	return []Check{p.checkStores(ctx), key, judgePlan(changes, err), p.checkBrokerClock(ctx)}
}

// judgeKey says whether the key is the operator's. The broker answers requests of the operator
// alone: to everybody else, nobody answers.
func judgeKey(plan error) (check Check, mayAsk bool) {
	if errors.Is(plan, nats.ErrNoResponders) || errors.Is(plan, nats.ErrPermissionViolation) {
		return bad("key", "broker", "the key in NATS_CREDS_FILE is not the operator's",
			"set NATS_CREDS_FILE to nats_wagewire.nk, which wagewire nkeys DIR makes"), false
	}
	return ok("key", "broker", "the key in NATS_CREDS_FILE has the operator's rights"), true
}

// checkStores checks that the broker stores events.
func (p Patient) checkStores(ctx context.Context) Check {
	what := fmt.Sprintf("nats-server %s at %s", p.Op.ServerVersion(), p.Server)
	err := p.Op.Ready(ctx)
	switch {
	case err == nil:
		return ok("broker", "", what+" stores events")
	case errors.Is(err, stream.ErrNoQueue):
		return bad("broker", "", what+": "+err.Error(), applyCommand)
	case errors.Is(err, stream.ErrFull):
		return bad("broker", "", what+": "+err.Error(),
			"give the stream more room: wagewire provision apply --max-bytes STREAM=SIZE, "+
				"or --max-messages STREAM=NUMBER if NATS has the memory")
	default:
		return bad("broker", "", what+": "+err.Error(), "see the broker's log")
	}
}

// limitFields are the settings of streams that an installation chooses by flags of provision.
var limitFields = []string{"max_age", "max_bytes", "max_msgs", "num_replicas"}

// judgePlan says how the streams and queues differ from what they must be. A limit may differ from
// its default, because each installation chooses its own.
func judgePlan(changes []stream.Change, err error) Check {
	if err != nil {
		return bad("streams", "broker", err.Error(), planCommand)
	}
	var different []string
	var refused []string
	chosen := 0
	for _, c := range changes {
		switch {
		case isLimit(c):
			chosen++
		case c.Refused != "":
			refused = append(refused, c.What+" ("+c.Refused+")")
		default:
			different = append(different, c.What)
		}
	}
	switch {
	case len(refused) > 0:
		return bad("streams", "broker", "refused: "+strings.Join(refused, ", "), planCommand)
	case len(different) > 0:
		return bad("streams", "broker", count(len(different), "difference")+": "+
			abbreviate(different), planCommand+", then "+applyCommand)
	case chosen > 0:
		return ok("streams", "broker", "as they must be; "+count(chosen, "stream")+
			" with limits of your own")
	default:
		return ok("streams", "broker", "as they must be")
	}
}

// isLimit reports whether nothing but limits differ.
func isLimit(c stream.Change) bool {
	return !c.Create && c.Does == "" && len(c.Fields) > 0 &&
		!slices.ContainsFunc(c.Fields, func(f stream.Field) bool {
			return !slices.Contains(limitFields, f.Name)
		})
}

// namesMax is how many names a line has.
const namesMax = 3

func abbreviate(names []string) string {
	if rest := len(names) - namesMax; rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namesMax], ", "), rest)
	}
	return strings.Join(names, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// checkBrokerClock compares our clock with the broker's.
func (p Patient) checkBrokerClock(ctx context.Context) Check {
	asked := time.Now()
	theirs, err := p.Op.Budget(schema.Providers()[0]).Now(ctx)
	if err != nil {
		return skipped("clock", "broker", err.Error())
	}
	return judgeClock("broker", theirs, asked, time.Now(), 0)
}

// judgeClock compares a time that another machine told between two times of ours. The other clock
// tells the time in steps of resolution.
func judgeClock(of string, theirs, asked, answered time.Time, resolution time.Duration) Check {
	ahead := asked.Sub(theirs.Add(resolution)) // we are at least so far ahead
	behind := theirs.Sub(answered)
	switch {
	case ahead > clockSkewMax:
		return bad("clock", of, fmt.Sprintf("our clock is %s ahead", ahead.Round(time.Second)),
			"set the clock of this machine, or of theirs: run NTP on both")
	case behind > clockSkewMax:
		return bad("clock", of, fmt.Sprintf("our clock is %s behind", behind.Round(time.Second)),
			"set the clock of this machine, or of theirs: run NTP on both")
	default:
		return ok("clock", of, "differs from ours by less than "+clockSkewMax.String())
	}
}
