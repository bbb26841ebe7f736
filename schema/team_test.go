package schema_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// servedTeam is a broker with team lending and some completions.
type servedTeam struct {
	url string
	// seed is the file with the team's key.
	seed string
	stop func()
}

// serveTeam starts a broker on which the team has its account, and no other rights than that.
func serveTeam(dir string) (*servedTeam, error) {
	served := &servedTeam{seed: filepath.Join(dir, "lending.nk")}
	key, err := streamtest.MakeTeamKey(served.seed)
	if err != nil {
		return nil, err
	}
	team := stream.Team{
		Name: "lending", Resources: []schema.Resource{schema.Paystubs},
		Durables: []string{"lending"}, Key: key,
	}
	if err := served.start(dir, team); err != nil {
		return nil, err
	}
	err = publishCompletions(served.url, team)
	if err != nil {
		served.stop()
	}
	return served, err
}

// start starts nats-server with two accounts: the operator's, and the team's.
func (s *servedTeam) start(dir string, team stream.Team) error {
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(streamtest.TeamAccounts(team)), 0o600); err != nil {
		return err
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		return err
	}
	options.Host = "127.0.0.1"
	options.Port = server.RANDOM_PORT
	options.StoreDir = dir
	options.NoLog = true
	options.NoSigs = true
	ns, err := server.NewServer(options)
	if err != nil {
		return err
	}
	ns.Start()
	s.url = ns.ClientURL()
	s.stop = func() { ns.Shutdown(); ns.WaitForShutdown() }
	if !ns.ReadyForConnections(time.Minute) {
		s.stop()
		return fmt.Errorf("nats-server is not ready")
	}
	return nil
}

// publishCompletions stores a completion with its records, one with a reference to them, and a
// deletion. It makes the durable of the team, too.
func publishCompletions(url string, team stream.Team) error {
	conn, err := stream.Connect(stream.Config{URL: url}, stream.RoleOperator, zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx := context.Background()
	operator := stream.NewOperator(conn)
	if err := operator.Provision(ctx, broker.SmallTopology()); err != nil {
		return err
	}
	changes, err := operator.PlanTeam(ctx, team, stream.Reading{})
	if err == nil {
		err = operator.Apply(ctx, changes)
	}
	if err != nil {
		return err
	}
	at := time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC)
	large := fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("x", schema.CompletionBytesMax))
	small := json.RawMessage(`{"gross_pay_ytd":90071992547409931}`)
	for _, completed := range []struct {
		event    schema.Event
		resource schema.Resource
		outcome  schema.Outcome
		records  []json.RawMessage
	}{
		{paystubsEvent("e-1", at), schema.Paystubs, schema.Succeeded, []json.RawMessage{small}},
		{paystubsEvent("e-2", at), schema.Paystubs, schema.Succeeded,
			[]json.RawMessage{large, small}},
		{schema.Event{
			Provider: schema.Truv, ID: "e-3", Type: "link-deleted", Resource: schema.Link,
			Action: schema.ActionDeleted, AccountID: "l-1", OccurredAt: at, ReceivedAt: at,
		}, schema.Link, schema.Deleted, nil},
	} {
		c := schema.NewCompletion(completed.event, completed.resource, completed.outcome, at)
		c.Data.Records = append(c.Data.Records, completed.records...)
		if _, err := conn.PublishCompletion(ctx, completed.event, c); err != nil {
			return err
		}
	}
	return nil
}

func paystubsEvent(id string, at time.Time) schema.Event {
	return schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: "paystubs.fully_synced",
		Resource: schema.Paystubs, Action: schema.ActionFullySynced, AccountID: "a-1",
		OccurredAt: at, ReceivedAt: at, Body: []byte(`{}`),
	}
}
