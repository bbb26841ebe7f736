package stream

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// TeamDurablesMax is the largest number of durable consumers of a team.
const TeamDurablesMax = 16

// teamName is the form of a team's name. The name has no underscore, because an underscore divides
// the name from the rest of the name of a durable consumer.
var teamName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Team is a group of subscribers. A team has an account of its own on the broker, with a key, and
// durable consumers of completions that the operator makes. No other team can see, delete, or
// acknowledge for them.
type Team struct {
	// Name is the team's name, and the name of its first durable consumer.
	Name string
	// Resources are what the team reads. The completions of links come besides: a team must know
	// what to delete, and which accounts the provider cannot reach any more. Bank accounts have
	// whole account numbers, so they are never part of another grant: only their name gives them.
	Resources []schema.Resource
	// Durables are the names of the team's durable consumers.
	Durables []string
	// Key is the public nkey of the team's user.
	Key string
}

// CheckTeamName returns an error unless the name has 1 to 32 lower-case letters, digits and
// hyphens, and is not that of our own durable on the stream of completions. The name of a further
// durable consumer has the same form.
func CheckTeamName(name string) error {
	if !teamName.MatchString(name) {
		return fmt.Errorf("%q is not a name of 1 to 32 lower-case letters, digits and hyphens",
			name)
	}
	if name == schema.AccountsConsumer {
		return fmt.Errorf("%q is the name of a durable of Wagewire: choose another", name)
	}
	return nil
}

// TeamDurable returns the name of a further durable consumer of a team: <team>_<name>.
func TeamDurable(team, name string) string { return team + "_" + name }

// Filters are the subjects of the completions that the team reads.
func (t Team) Filters() []string {
	var filters []string
	for _, q := range schema.Queues() {
		if q.Resource == schema.Link || slices.Contains(t.Resources, q.Resource) {
			filters = append(filters, schema.ResourceCompletions(q.Provider, q.Resource))
		}
	}
	return withoutRepeats(filters)
}

// Grant returns the rights of the team's account: to take from its durable consumers, to settle for
// them, to get the state of any account by its subject, and to read the records of its resources by
// the subject in a completion. The team cannot
// make, change or delete a consumer, and cannot ask about a stream.
func (t Team) Grant() Grant {
	grant := Grant{Role: t.Name}
	for _, durable := range t.Durables {
		consumer := schema.CompletionsStream + "." + durable
		grant.Requests = append(grant.Requests,
			apiQueueInfo+consumer, apiNext+consumer, acks+consumer+".>")
	}
	grant.Requests = append(grant.Requests, takingFrom(schema.AccountsStream, t.Name)...)
	grant.Requests = append(grant.Requests,
		apiDirectGet+schema.AccountsStream+"."+schema.AllAccounts)
	for _, r := range t.Resources {
		chunks := apiDirectGet + recordsStream + "." + resourceChunks("*", r)
		grant.Requests = append(grant.Requests, chunks)
	}
	return grant
}
