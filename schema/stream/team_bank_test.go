package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// allButBankAccounts is a team with every resource except bank accounts.
func allButBankAccounts() stream.Team {
	team := lending()
	team.Resources = slices.DeleteFunc(schema.WorkerResources(),
		func(r schema.Resource) bool { return r == schema.BankAccounts })
	return team
}

// completeOf stores a completion of a resource that both providers have.
func completeOf(t *testing.T, c *stream.Conn, r schema.Resource, ids ...string) {
	t.Helper()
	for _, id := range ids {
		e := paystubs(id, "a-1")
		complete(t, c, e, schema.NewCompletion(e, r, schema.Succeeded, e.ReceivedAt))
	}
}

func TestOnlyTheirNameGrantsBankAccounts(t *testing.T) {
	t.Parallel()
	team := allButBankAccounts()
	grant := team.Grant()
	for _, subject := range slices.Concat(team.Filters(), grant.Requests, grant.Listens) {
		if strings.Contains(subject, string(schema.BankAccounts)) {
			t.Errorf("every other resource grants %s", subject)
		}
	}
	team.Resources = []schema.Resource{schema.BankAccounts}
	for _, p := range []schema.Provider{schema.Pinwheel, schema.Truv} {
		want := schema.ResourceCompletions(p, schema.BankAccounts)
		if !slices.Contains(team.Filters(), want) {
			t.Errorf("the name does not grant %s: %v", want, team.Filters())
		}
	}
}

func TestAnAdoptedDurableLosesBankAccounts(t *testing.T) {
	t.Parallel()
	for name, filters := range map[string][]string{
		"of no filter":             nil,
		"of every completion":      {"wagewire.completions.>"},
		"of every resource":        {"wagewire.completions.*.*.>"},
		"of everything":            {"wagewire.>"},
		"of one account":           {"wagewire.completions.*.*.a-1.*"},
		"of bank accounts by name": {"wagewire.completions.pinwheel.bank_accounts.*.*"},
		"of bank accounts and more": {
			"wagewire.completions.pinwheel.link.>", "wagewire.completions.*.bank_accounts.>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := streamtest.New(t)
			makeByHand(t, s, jetstream.ConsumerConfig{
				Durable: "old", FilterSubjects: filters, AckPolicy: jetstream.AckExplicitPolicy,
				AckWait: time.Hour,
			})
			completeOf(t, c, schema.BankAccounts, "e-1", "e-2")
			consumer, err := look(t, s).Consumer(t.Context(), schema.CompletionsStream, "old")
			must(t, err)
			inHand, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Minute))
			must(t, err)

			team := allButBankAccounts()
			team.Durables = []string{"old"}
			how := stream.Reading{Adopt: "old"}
			changes, err := operator(c).PlanTeam(t.Context(), team, how)
			must(t, err)
			const why = "has read bank_accounts, and 1 of its completions are in hand"
			if len(changes) != 1 || !strings.Contains(changes[0].Refused, why) {
				t.Fatalf("with a completion in hand: %v, want %q", changes, why)
			}
			must(t, inHand.DoubleAck(t.Context()))
			makeTeam(t, c, team, how)
			completeOf(t, c, schema.BankAccounts, "e-3")
			completePaystubs(t, c, "e-4")
			msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Minute))
			must(t, err)
			if want := "wagewire.completions.pinwheel.paystubs.a-1.e-4"; msg.Subject() != want {
				t.Errorf("the next completion is %s, want %s", msg.Subject(), want)
			}
			info, err := consumer.Info(t.Context())
			must(t, err)
			if info.NumPending != 0 {
				t.Errorf("%d completions more", info.NumPending)
			}
		})
	}
}

func TestATeamThatLosesBankAccountsGetsNoneAgain(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	team := lending()
	team.Resources = append(team.Resources, schema.BankAccounts)
	makeTeam(t, c, team, stream.Reading{})
	completeOf(t, c, schema.BankAccounts, "e-1", "e-2")
	consumer, err := look(t, s).Consumer(t.Context(), schema.CompletionsStream, "lending")
	must(t, err)
	inHand, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Minute))
	must(t, err)
	changes, err := operator(c).PlanTeam(t.Context(), lending(), stream.Reading{})
	must(t, err)
	if err := operator(c).Apply(t.Context(), changes); err == nil {
		t.Errorf("changed with a completion in hand: %v", changes)
	}
	must(t, inHand.DoubleAck(t.Context()))
	makeTeam(t, c, lending(), stream.Reading{})
	if d := durables(t, c)[0]; d.Lag() != 0 {
		t.Errorf("%d completions are left for a team without the grant", d.Lag())
	}
}

// A team may lose another resource with completions in hand, as in earlier releases.
func TestOtherResourcesAreTakenAtOnce(t *testing.T) {
	t.Parallel()
	s, c := streamtest.New(t)
	team := lending()
	team.Resources = append(team.Resources, schema.TaxForms)
	makeTeam(t, c, team, stream.Reading{})
	completePaystubs(t, c, "e-1")
	consumer, err := look(t, s).Consumer(t.Context(), schema.CompletionsStream, "lending")
	must(t, err)
	_, err = consumer.Next(jetstream.FetchMaxWait(5 * time.Minute))
	must(t, err)
	makeTeam(t, c, lending(), stream.Reading{})
	if diff := cmp.Diff("[paystubs]", fmt.Sprint(durables(t, c)[0].Resources)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
