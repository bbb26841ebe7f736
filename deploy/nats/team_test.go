package nats_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// pair is two teams on a broker. The first reads only paystubs, and has two durable consumers.
type pair struct {
	broker
	payroll, income stream.Team
	seeds           map[string]string
	full            jetstream.JetStream
}

// newPair starts a broker with two teams, and stores a completion with large records of each
// resource.
func newPair(t *testing.T) pair {
	t.Helper()
	p := pair{
		payroll: stream.Team{Name: "payroll", Durables: []string{"payroll", "payroll_audit"},
			Resources: []schema.Resource{schema.Paystubs}},
		income: stream.Team{Name: "income", Durables: []string{"income"},
			Resources: []schema.Resource{schema.Income}},
		seeds: map[string]string{},
	}
	dir := copyInstallation(t)
	p.payroll.Key, p.seeds[p.payroll.Name] = newSeed(t, dir)
	p.income.Key, p.seeds[p.income.Name] = newSeed(t, dir)
	teams := nats.Teams([]stream.Team{p.payroll, p.income})
	must(t, os.WriteFile(filepath.Join(dir, nats.TeamsFile), []byte(teams), 0o600))
	p.broker = startIn(t, dir, "nats.conf", quick)
	provision(t, p.connect(t, stream.RoleOperator), schema.DefaultTopology())
	p.full = p.dial(t, stream.RoleOperator).jetstream(t)
	p.plan(t, p.payroll)
	p.plan(t, p.income)
	p.complete(t, "pinwheel", "paystubs.added", schema.Paystubs)
	p.complete(t, "pinwheel", "income.added", schema.Income)
	return p
}

// plan makes the durable consumers of a team, as the operator does.
func (p pair) plan(t *testing.T, team stream.Team) {
	t.Helper()
	operator := p.connect(t, stream.RoleOperator)
	changes, err := operator.PlanTeam(t.Context(), team, stream.Reading{})
	must(t, err)
	must(t, operator.Apply(t.Context(), changes))
}

// newSeed makes a key, and a file with its seed.
func newSeed(t *testing.T, dir string) (public, path string) {
	t.Helper()
	key, err := nkeys.CreateUser()
	must(t, err)
	public, err = key.PublicKey()
	must(t, err)
	seed, err := key.Seed()
	must(t, err)
	path = filepath.Join(dir, public+".nk")
	must(t, os.WriteFile(path, seed, 0o600))
	return public, path
}

// complete publishes a completion with large records, as the resource's worker.
func (p pair) complete(t *testing.T, provider schema.Provider, of string, r schema.Resource) {
	t.Helper()
	worker := p.connect(t, stream.WorkerRole(r))
	e := webhook(schema.Lookup(provider, of), "id-"+string(r), "account")
	completion := schema.NewCompletion(e, r, schema.Succeeded, e.ReceivedAt)
	completion.Data.Records = []json.RawMessage{json.RawMessage(large("x "))}
	_, err := worker.PublishCompletion(t.Context(), e, completion)
	must(t, err)
}

// join connects a client of a team.
func (p pair) join(t *testing.T, team stream.Team) client {
	t.Helper()
	return p.dialSeed(t, p.seeds[team.Name])
}

func (p pair) take(
	t *testing.T, team stream.Team, durable string,
) (jetstream.Msg, schema.Completion) {
	t.Helper()
	consumer, err := p.join(t, team).jetstream(t).Consumer(t.Context(), schema.CompletionsStream,
		durable)
	must(t, err)
	msg := nextMessage(t, "a completion for "+durable, consumer)
	var c schema.Completion
	must(t, json.Unmarshal(msg.Data(), &c))
	return msg, c
}

func TestATeamReadsOnlyItsResources(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, durable := range p.payroll.Durables {
		msg, c := p.take(t, p.payroll, durable)
		must(t, msg.DoubleAck(t.Context()))
		if c.Data.Resource != schema.Paystubs {
			t.Errorf("%s got a completion of %s", durable, c.Data.Resource)
		}
	}
}

func TestNoTeamTouchesAnother(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	c := p.join(t, p.payroll)
	delivered, completion := p.take(t, p.income, "income")
	chunk := completion.Data.RecordsRef.ChunkSubject(1)
	direct := api + "DIRECT.GET.OBJ_WAGEWIRE_RECORDS."
	for promise, msg := range map[string]*natsgo.Msg{
		"see its durable":       {Subject: api + "CONSUMER.INFO.WAGEWIRE_COMPLETIONS.income"},
		"see all durables":      {Subject: api + "CONSUMER.LIST.WAGEWIRE_COMPLETIONS"},
		"see all names":         {Subject: api + "CONSUMER.NAMES.WAGEWIRE_COMPLETIONS"},
		"take from its durable": {Subject: api + "CONSUMER.MSG.NEXT.WAGEWIRE_COMPLETIONS.income"},
		"settle for it":         {Subject: delivered.Reply(), Data: []byte("+ACK")},
		"give back for it":      {Subject: delivered.Reply(), Data: []byte("-NAK")},
		"end its deliveries":    {Subject: delivered.Reply(), Data: []byte("+TERM")},
		"shorten its durable": {Subject: api + "CONSUMER.CREATE.WAGEWIRE_COMPLETIONS.income",
			Data: []byte(`{"stream_name":"WAGEWIRE_COMPLETIONS","config":{"durable_name":"income"}}`)},
		"pause its durable": {Subject: api + "CONSUMER.PAUSE.WAGEWIRE_COMPLETIONS.income"},
		"reset its durable": {Subject: api + "CONSUMER.RESET.WAGEWIRE_COMPLETIONS.income"},
		"delete its durable": {
			Subject: api + "CONSUMER.DELETE.WAGEWIRE_COMPLETIONS.income"},
		"delete its own durable": {
			Subject: api + "CONSUMER.DELETE.WAGEWIRE_COMPLETIONS.payroll"},
		"read records of another resource": {Subject: direct + chunk},
		"read records by a wildcard": {
			Subject: direct + "$O.WAGEWIRE_RECORDS.C.*.income.*.*.*"},
		"read records by a wider wildcard": {Subject: direct + "$O.WAGEWIRE_RECORDS.C.>"},
		"read names of records":            {Subject: direct + "$O.WAGEWIRE_RECORDS.M.>"},
		"read a batch of records": {Subject: api + "DIRECT.GET.OBJ_WAGEWIRE_RECORDS",
			Data: []byte(`{"batch":10,"next_by_subj":">"}`)},
		"read an event": {Subject: api + "STREAM.MSG.GET.WAGEWIRE_EVENTS",
			Data: []byte(`{"seq":1}`)},
		"look up a stream": {Subject: api + "STREAM.INFO.WAGEWIRE_DEAD_LETTERS"},
	} {
		a := attempt{make: func(*testing.T, jetstream.JetStream) *natsgo.Msg { return msg }}
		if err := a.try(t, c, p.full); !errors.Is(err, errUnknown) {
			t.Errorf("%s: %v, want no responders", promise, err)
		}
	}
	must(t, delivered.DoubleAck(t.Context())) // the other team can, and its delivery is unharmed
}

func TestATeamReadsItsOwnRecordsByTheirSubject(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	_, completion := p.take(t, p.payroll, "payroll")
	config := p.config(stream.RoleIngress)
	config.CredsFile = p.seeds[p.payroll.Name]
	reader := p.connectWith(t, config, p.payroll.Name)
	records, err := reader.Records(t.Context(), *completion.Data.RecordsRef)
	if err != nil || len(records) != 1 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

func TestTheLimitsOfATeamHold(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	var all []client
	for range 256 {
		all = append(all, p.join(t, p.payroll))
	}
	_, err := p.tryDial(p.seeds[p.payroll.Name])
	if !errors.Is(err, natsgo.ErrMaxAccountConnectionsExceeded) {
		t.Errorf("one connection more: %v", err)
	}
	p.join(t, p.income) // others are not kept out
	p.connect(t, stream.RoleIngress)

	c := all[0]
	if c.MaxPayload() > 64<<10 {
		t.Errorf("a team may publish %d bytes", c.MaxPayload())
	}
	for n := range 1001 {
		_, err := c.SubscribeSync(fmt.Sprint("subject.", n))
		must(t, err)
	}
	if err := next(t, "a refusal", c.refused); !errors.Is(err, natsgo.ErrMaxSubscriptionsExceeded) {
		t.Errorf("one subscription more: %v", err)
	}
}

// takenMax is the limit of a team's completions in hand.
const takenMax = 1000

func TestATeamThatNeverAcknowledgesHurtsNoOther(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for n := range 2 * takenMax {
		subject := fmt.Sprintf("wagewire.completions.pinwheel.paystubs.a.%d", n)
		_, err := p.full.PublishAsync(subject, []byte("{}"))
		must(t, err)
	}
	next(t, "the completions are stored", p.full.PublishAsyncComplete())
	consumer, err := p.join(t, p.payroll).jetstream(t).Consumer(t.Context(),
		schema.CompletionsStream, "payroll")
	must(t, err)
	streamtest.Eventually(t, "the team has all it may hold", func() bool {
		batch, err := consumer.FetchNoWait(takenMax)
		must(t, err)
		for range batch.Messages() { // taken, and forgotten
			continue
		}
		info, err := consumer.Info(t.Context())
		must(t, err)
		return info.NumAckPending == takenMax
	})
	msg, _ := p.take(t, p.payroll, "payroll_audit")
	must(t, msg.DoubleAck(t.Context()))
	msg, _ = p.take(t, p.income, "income")
	must(t, msg.DoubleAck(t.Context()))
}
