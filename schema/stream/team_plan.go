package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Entries in the metadata of a team's durable consumer. The broker is the only place that keeps the
// teams.
const (
	metadataTeam = "wagewire.team"
	metadataKey  = "wagewire.key"
	// metadataResources are separated by commas.
	metadataResources = "wagewire.resources"
)

// Limits of a team's durable consumer. With them, a team that never acknowledges, or that asks for
// everything at a time, costs the broker little.
const (
	// teamAckWait is how long a team may work on a completion before another delivery.
	teamAckWait = time.Minute
	// teamPendingMax is how many completions may be in the hands of a team.
	teamPendingMax = 1000
	// teamRequestsMax is how many requests may wait at the broker. It is the broker's own default,
	// because the broker cannot change the limit of a consumer that a team made itself.
	teamRequestsMax = 512
	// teamBatchMax is the largest number of completions of one request. Clients ask for 500 at
	// most, if their program does not say otherwise.
	teamBatchMax = 1000
	// teamBatchBytesMax is the largest number of bytes that one request may ask for.
	teamBatchBytesMax = 64 << 20
	// teamRequestFor is how long one request may wait at the broker.
	teamRequestFor = 5 * time.Minute
)

// Reading says how PlanTeam makes a team's durable consumers.
type Reading struct {
	// Since is when the first completion of a new durable was stored. The zero time is the
	// beginning of the stream. A durable that is there keeps its position.
	Since time.Time
	// Adopt names a durable without a team. PlanTeam changes it into one of the team's, and the
	// durable keeps its position. "" adopts none.
	Adopt string
}

// PlanTeam compares the durable consumers of a team with what they must be. Apply makes the
// changes. A change is refused if the durable is another team's, or if it has no team and is not
// adopted. It is also refused if it takes bank accounts from a durable that has completions in
// hand.
func (o *Operator) PlanTeam(ctx context.Context, t Team, how Reading) ([]Change, error) {
	var changes []Change
	for _, name := range t.Durables {
		refuse := func(have jetstream.ConsumerInfo, want jetstream.ConsumerConfig) string {
			return reasonToRefuseTeam(have, want, how.Adopt)
		}
		change, err := o.planConsumer(ctx, "durable "+name, schema.CompletionsStream,
			teamConfig(t, name, how.Since),
			consumerRules{fields: teamFields, refuse: refuse, merge: mergeTeam})
		if err != nil {
			return nil, fmt.Errorf("plan durable %s: %w", name, err)
		}
		changes = append(changes, o.checkHands(t, name, change)...)
	}
	return changes, nil
}

// checkHands lets a change of a durable fail if it takes bank accounts from the durable, and the
// team has taken completions since the plan.
func (o *Operator) checkHands(t Team, durable string, changes []Change) []Change {
	for i := range changes {
		change := &changes[i]
		apply := change.apply
		if change.Create || change.Refused != "" {
			continue
		}
		change.apply = func(ctx context.Context) error {
			before, err := o.js.Consumer(ctx, schema.CompletionsStream, durable)
			if err != nil {
				return err
			}
			want := teamConfig(t, durable, time.Time{})
			if why := reasonOfHands(*before.CachedInfo(), want); why != "" {
				return fmt.Errorf("%w: %s", ErrRefused, why)
			}
			return apply(ctx)
		}
	}
	return changes
}

// PlanTeamAccounts compares the team's durable consumer of the states of accounts with what it must
// be. The durable has the name of the team, and begins with the last state of every account. The
// error is ErrNoQueue if the stream of the states does not exist.
func (o *Operator) PlanTeamAccounts(ctx context.Context, t Team) ([]Change, error) {
	_, err := o.lookUpStream(ctx, schema.AccountsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("stream %s is not there: %w", schema.AccountsStream, ErrNoQueue)
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", schema.AccountsStream, err)
	}
	config := teamConfig(t, t.Name, time.Time{})
	config.Description = "states of accounts for team " + t.Name
	config.FilterSubjects = []string{schema.AllAccounts}
	refuse := func(have jetstream.ConsumerInfo, want jetstream.ConsumerConfig) string {
		return reasonToRefuseTeam(have, want, "")
	}
	changes, err := o.planConsumer(ctx, "durable "+t.Name+" of accounts", schema.AccountsStream,
		config, consumerRules{fields: teamFields, refuse: refuse, merge: mergeTeam})
	if err != nil {
		return nil, fmt.Errorf("plan durable %s of %s: %w", t.Name, schema.AccountsStream, err)
	}
	return changes, nil
}

// DeleteTeamAccounts deletes the team's durable consumer of the states of accounts. A durable that
// is gone already is no error.
func (o *Operator) DeleteTeamAccounts(ctx context.Context, team string) error {
	err := o.js.DeleteConsumer(ctx, schema.AccountsStream, team)
	if err != nil && !isMissing(err) {
		return fmt.Errorf("delete durable %s of %s: %w", team, schema.AccountsStream, err)
	}
	return nil
}

// DeleteDurable deletes a durable consumer of completions. The completions stay. A durable that is
// gone already is no error.
func (o *Operator) DeleteDurable(ctx context.Context, name string) error {
	err := o.js.DeleteConsumer(ctx, schema.CompletionsStream, name)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("delete durable %s: %w", name, err)
	}
	return nil
}

func teamConfig(t Team, durable string, since time.Time) jetstream.ConsumerConfig {
	start := orderedFrom(since)
	return jetstream.ConsumerConfig{
		Name:               durable,
		Durable:            durable,
		Description:        "completions for team " + t.Name,
		FilterSubjects:     t.Filters(),
		AckPolicy:          jetstream.AckExplicitPolicy,
		DeliverPolicy:      start.DeliverPolicy,
		OptStartTime:       start.OptStartTime,
		AckWait:            teamAckWait,
		MaxDeliver:         -1,
		MaxAckPending:      teamPendingMax,
		MaxWaiting:         teamRequestsMax,
		MaxRequestBatch:    teamBatchMax,
		MaxRequestMaxBytes: teamBatchBytesMax,
		MaxRequestExpires:  teamRequestFor,
		Metadata: map[string]string{
			metadataTeam:      t.Name,
			metadataKey:       t.Key,
			metadataResources: joinResources(t.Resources),
		},
	}
}

// reasonToRefuseTeam says why a durable is not changed. "" is no reason.
func reasonToRefuseTeam(
	info jetstream.ConsumerInfo, want jetstream.ConsumerConfig, adopt string,
) string {
	have := info.Config
	owner := have.Metadata[metadataTeam]
	switch {
	case owner != "" && owner != want.Metadata[metadataTeam]:
		return fmt.Sprintf("the durable is of team %s", owner)
	case owner == "" && adopt != have.Durable:
		return fmt.Sprintf("the durable was made by hand: --adopt %s takes it over", have.Durable)
	case have.AckPolicy != want.AckPolicy:
		return "the ack policy of a durable cannot be changed: make a new durable"
	default:
		return reasonOfHands(info, want)
	}
}

// reasonOfHands refuses to take bank accounts from a durable with completions in hand: nats-server
// delivers them again without a look at the filters.
func reasonOfHands(info jetstream.ConsumerInfo, want jetstream.ConsumerConfig) string {
	if info.NumAckPending == 0 || !readsBankAccounts(info.Config) || readsBankAccounts(want) {
		return ""
	}
	return fmt.Sprintf("the durable has read %s, and %d of its completions are in hand: the "+
		"broker would deliver them again. Let the team acknowledge them, or make a new durable",
		schema.BankAccounts, info.NumAckPending)
}

// readsBankAccounts reports whether a durable delivers completions of bank accounts, by name or by
// a wildcard.
func readsBankAccounts(c jetstream.ConsumerConfig) bool {
	filters := slices.Clone(c.FilterSubjects)
	if len(filters) == 0 { // one filter, or none: every completion
		filters = append(filters, cmp.Or(c.FilterSubject, ">"))
	}
	for _, q := range schema.QueuesOf(schema.BankAccounts) {
		own := schema.ResourceCompletions(q.Provider, q.Resource)
		if slices.ContainsFunc(filters, func(filter string) bool { return overlap(filter, own) }) {
			return true
		}
	}
	return false
}

// overlap reports whether some subject matches both filters.
func overlap(a, b string) bool {
	as := strings.Split(a, ".")
	bs := strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		switch {
		case as[i] == ">" || bs[i] == ">":
			return true
		case as[i] != bs[i] && as[i] != "*" && bs[i] != "*":
			return false
		}
	}
	return len(as) == len(bs)
}

// mergeTeam sets the settings of a team's durable. The position and all other settings stay as the
// broker has them. MaxWaiting is among them, because the broker cannot change it.
func mergeTeam(have, want jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	merged := mergeQueue(have, want)
	merged.Description = want.Description
	merged.MaxRequestBatch = want.MaxRequestBatch
	merged.MaxRequestMaxBytes = want.MaxRequestMaxBytes
	merged.MaxRequestExpires = want.MaxRequestExpires
	merged.InactiveThreshold = want.InactiveThreshold
	merged.HeadersOnly = want.HeadersOnly
	merged.Metadata = map[string]string{}
	maps.Copy(merged.Metadata, have.Metadata)
	maps.Copy(merged.Metadata, want.Metadata)
	return merged
}

func teamFields(have, want jetstream.ConsumerConfig) []Field {
	return differing([]Field{
		{"team", have.Metadata[metadataTeam], want.Metadata[metadataTeam]},
		{"resources", have.Metadata[metadataResources], want.Metadata[metadataResources]},
		{"key", have.Metadata[metadataKey], want.Metadata[metadataKey]},
		{"filter_subjects", joinFilters(have), joinFilters(want)},
		{"ack_policy", have.AckPolicy.String(), want.AckPolicy.String()},
		{"ack_wait", have.AckWait.String(), want.AckWait.String()},
		{"backoff", fmt.Sprint(have.BackOff), fmt.Sprint(want.BackOff)},
		{"max_deliver", fmt.Sprint(have.MaxDeliver), fmt.Sprint(want.MaxDeliver)},
		{"max_ack_pending", fmt.Sprint(have.MaxAckPending), fmt.Sprint(want.MaxAckPending)},
		{"max_batch", fmt.Sprint(have.MaxRequestBatch), fmt.Sprint(want.MaxRequestBatch)},
		{"max_bytes", fmt.Sprint(have.MaxRequestMaxBytes), fmt.Sprint(want.MaxRequestMaxBytes)},
		{"max_expires", have.MaxRequestExpires.String(), want.MaxRequestExpires.String()},
		{"inactive_threshold",
			have.InactiveThreshold.String(), want.InactiveThreshold.String()},
		{"headers_only", fmt.Sprint(have.HeadersOnly), fmt.Sprint(want.HeadersOnly)},
	}, have.Durable == "")
}

func joinResources(resources []schema.Resource) string {
	var names []string
	for _, r := range resources {
		names = append(names, string(r))
	}
	return strings.Join(names, ",")
}

// splitResources reverses joinResources.
func splitResources(text string) []schema.Resource {
	resources := []schema.Resource{} // [] in JSON, and not null
	for name := range strings.SplitSeq(text, ",") {
		if name != "" {
			resources = append(resources, schema.Resource(name))
		}
	}
	return resources
}
