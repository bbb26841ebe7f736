package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// followEvery is the time between two looks at the file of the teams.
const followEvery = time.Second

// brokerText is the configuration of the sandbox's broker, beside nats.AccountsFile.
const (
	brokerText = "# Written by each start of the sandbox.\ninclude " + nats.AccountsFile + "\n"
	// openText makes a client without a key the operator. It is for fakes alone, whose data is
	// invented.
	openText = "no_auth_user: $WAGEWIRE\n"
)

// keysDir has the keys of every role, and the configuration of the broker with their accounts.
func (s *Sandbox) keysDir() string { return filepath.Join(s.config.Dir, "keys") }

// brokerFile is the configuration of the broker.
func (s *Sandbox) brokerFile() string { return filepath.Join(s.keysDir(), "broker.conf") }

// makeAccounts makes a key for each role, unless an earlier sandbox has made them, and writes the
// configuration of the broker.
func (s *Sandbox) makeAccounts(context.Context) error {
	dir := s.keysDir()
	_, err := os.Stat(filepath.Join(dir, nats.KeysFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nats.WriteKeys(dir)
	}
	if err != nil {
		return &PartError{Dir, err}
	}
	text := brokerText
	if !s.config.Real {
		text += openText
	}
	for path, text := range map[string]string{
		s.brokerFile():                        text,
		filepath.Join(dir, nats.AccountsFile): nats.Accounts(),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return &PartError{Dir, err}
		}
	}
	s.OperatorKey = filepath.Join(dir, nats.SeedFile(stream.RoleOperator))
	return nil
}

// connect connects to the broker with the key of a role, until the sandbox ends.
func (s *Sandbox) connect(role, name string) (*stream.Conn, error) {
	conn, err := stream.Connect(stream.Config{
		URL:       s.NATSURL,
		CredsFile: filepath.Join(s.keysDir(), nats.SeedFile(role)),
		Domain:    stream.Domain,
	}, name, s.config.Log)
	if err != nil {
		return nil, err
	}
	s.cleanup = append(s.cleanup, conn.Close)
	return conn, nil
}

// followTeams loads the accounts of the teams into the broker whenever `wagewire team` has changed
// them.
func (s *Sandbox) followTeams(ctx context.Context) error {
	path := filepath.Join(s.keysDir(), nats.TeamsFile)
	loaded, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	look := time.NewTicker(followEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.Equal(text, loaded) {
			continue
		}
		loaded = text
		if err := s.nats.Reload(); err != nil {
			s.config.Log.Error("teams are not loaded", zap.Error(err))
		}
	}
}

// team is the name of the team that a sandbox with fakes has from the start, and of its durable
// consumer.
const team = "lending"

// makeTeam makes a team that gets every completion, and loads its account into the broker.
func (s *Sandbox) makeTeam(ctx context.Context) error {
	dir := s.keysDir()
	lending := stream.Team{
		Name: team, Durables: []string{team}, Resources: schema.WorkerResources(),
	}
	var err error
	lending.Key, err = teamKey(dir)
	if err != nil {
		return err
	}
	operator := stream.NewOperator(s.Conn)
	changes, err := operator.PlanTeam(ctx, lending, stream.Reading{})
	if err != nil {
		return err
	}
	states, err := operator.PlanTeamAccounts(ctx, lending)
	if err != nil {
		return err
	}
	if err := operator.Apply(ctx, append(changes, states...)); err != nil {
		return err
	}
	durables, err := operator.Durables(ctx)
	if err != nil {
		return err
	}
	if _, err := nats.WriteTeams(dir, stream.TeamsOf(durables)); err != nil {
		return err
	}
	return s.nats.Reload()
}

// teamKey returns the public key of the team, and makes a key if the directory has none.
func teamKey(dir string) (public string, err error) {
	public, err = nats.TeamKey(dir, team)
	if public != "" || err != nil {
		return public, err
	}
	seed, public, err := nats.NewKey()
	if err != nil {
		return "", err
	}
	return public, nats.WriteTeamSeed(dir, team, seed)
}
