package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// Durable is the state of a durable consumer of completions.
type Durable struct {
	// Team is the team's name, empty if wagewire team did not make the durable. Resources and Key
	// are empty then too.
	Team      string            `json:"team"`
	Name      string            `json:"durable"`
	Resources []schema.Resource `json:"resources"`
	Key       string            `json:"key,omitempty"`
	// Pending completions were not delivered yet. InHand completions were delivered and not
	// acknowledged.
	Pending uint64 `json:"pending"`
	InHand  int    `json:"in_hand"`
	// Oldest is when the oldest completion was stored that is not acknowledged, zero if there is
	// none. LostAt is when the stream deletes that completion, zero if the stream deletes none.
	Oldest time.Time `json:"oldest,omitzero"`
	LostAt time.Time `json:"lost_at,omitzero"`
	// Active is when the durable last delivered a completion or got an acknowledgement. The time is
	// zero if there was none since the broker started: the broker does not store the time.
	Active time.Time `json:"active,omitzero"`
	// Created is when the durable was made.
	Created time.Time `json:"created"`
	// Requests counts the open requests for completions. Without a request, the team has no program
	// that reads, or all its programs are busy.
	Requests int `json:"requests"`
}

// Lag counts the completions that are not acknowledged.
func (d Durable) Lag() uint64 { return d.Pending + uint64(d.InHand) }

// Abandoned reports whether completions wait, and nobody took one for the given time.
func (d Durable) Abandoned(now time.Time, after time.Duration) bool {
	quiet := d.Created
	if d.Active.After(quiet) {
		quiet = d.Active
	}
	if d.Active.IsZero() && d.Oldest.After(quiet) {
		// The broker started again and forgot. A completion that came later was not taken either.
		quiet = d.Oldest
	}
	return d.Lag() > 0 && d.Requests == 0 && now.Sub(quiet) > after
}

// TeamsOf returns the teams of the durables, in the order of their names. An interrupted change can
// leave the durables of a team with different resources or keys: the first durable counts.
func TeamsOf(durables []Durable) []Team {
	var teams []Team
	for _, d := range durables {
		if d.Team == "" {
			continue
		}
		i := slices.IndexFunc(teams, func(t Team) bool { return t.Name == d.Team })
		if i < 0 {
			i = len(teams)
			teams = append(teams, Team{Name: d.Team, Resources: d.Resources, Key: d.Key})
		}
		teams[i].Durables = append(teams[i].Durables, d.Name)
	}
	return teams
}

// Durables returns the state of every durable consumer of completions, in the order of teams and
// names. The durables without a team are the last. The error is ErrNoQueue if the stream does not
// exist.
func (o *Operator) Durables(ctx context.Context) ([]Durable, error) {
	s, err := o.lookUpStream(ctx, schema.CompletionsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("stream %s is not there: %w", schema.CompletionsStream, ErrNoQueue)
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", schema.CompletionsStream, err)
	}
	durables, err := o.listDurables(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("list the durables of %s: %w", schema.CompletionsStream, err)
	}
	slices.SortFunc(durables, func(a, b Durable) int {
		return cmp.Or(compareTeams(a.Team, b.Team), strings.Compare(a.Name, b.Name))
	})
	return durables, nil
}

// compareTeams orders names of teams. No name is the last.
func compareTeams(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	default:
		return strings.Compare(a, b)
	}
}

func (o *Operator) listDurables(ctx context.Context, s jetstream.Stream) ([]Durable, error) {
	// Conn remembers the age of its first look. An operator may change it while metrics runs.
	age := ageOf(s.CachedInfo().Config)
	var durables []Durable
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		if info.Config.Durable == "" || isAccountsDurable(info.Config) {
			continue // a scan of an operator, or the durable of our own
		}
		d := durableOf(info)
		oldest, err := o.oldestMessage(ctx, info, filtersOrAll(filtersOf(info.Config)))
		if err != nil {
			return nil, err
		}
		d.Oldest = oldest
		if age > 0 && !d.Oldest.IsZero() {
			d.LostAt = d.Oldest.Add(age)
		}
		durables = append(durables, d)
	}
	return durables, list.Err()
}

func durableOf(info *jetstream.ConsumerInfo) Durable {
	meta := info.Config.Metadata
	d := Durable{
		Team:      meta[metadataTeam],
		Name:      info.Config.Durable,
		Resources: splitResources(meta[metadataResources]),
		Key:       meta[metadataKey],
		Pending:   info.NumPending,
		InHand:    info.NumAckPending,
		Created:   info.Created.UTC(),
		Requests:  info.NumWaiting,
	}
	for _, last := range []*time.Time{info.Delivered.Last, info.AckFloor.Last} {
		if last != nil && last.After(d.Active) {
			d.Active = last.UTC()
		}
	}
	return d
}
