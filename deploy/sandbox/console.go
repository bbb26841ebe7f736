package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/console"
	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

// tokensFile has the person who may act in the console of a sandbox with fakes.
const tokensFile = "console.tokens"

// personName is the name of this person in the log.
const personName = "sandbox"

// consoleURL is the variable with the address that others link to.
const consoleURL = "CONSOLE_URL"

// listenForConsole opens the listener of the console. The log lines of all parts link to its pages,
// unless the environment has another address.
func (s *Sandbox) listenForConsole(ctx context.Context) error {
	if s.config.ConsolePort < 0 {
		return nil
	}
	listener, err := listen(ctx, s.config.ConsolePort)
	if err != nil {
		return &PartError{Console, err}
	}
	s.consoleListener = listener
	s.cleanup = append(s.cleanup, func() { _ = listener.Close() }) // if the console never starts
	s.ConsoleURL = "http://" + listener.Addr().String()
	if s.getenv(consoleURL) == "" {
		s.env[consoleURL] = s.ConsoleURL
	}
	return nil
}

// startConsole serves the console, with the operator's key.
func (s *Sandbox) startConsole(context.Context) error {
	if s.consoleListener == nil {
		return nil
	}
	config, err := s.consoleConfig()
	if err != nil {
		return err
	}
	judge, err := health.ConfigFromEnv(s.getenv)
	if err != nil {
		return err
	}
	conn, err := s.connect(stream.RoleOperator, "wagewire-console")
	if err != nil {
		return err
	}
	pages, err := console.New(config, stream.NewOperator(conn), judge, s.config.Log)
	if err != nil {
		return err
	}
	s.start("console", func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return process.Serve(ctx, s.consoleListener, pages.Server()) })
		group.Go(func() error { return pages.Run(ctx) })
		return group.Wait()
	})
	return nil
}

// consoleConfig returns the configuration of the console. If the environment names no persons,
// everybody on this machine reads, and with fakes the sandbox makes a person who acts.
func (s *Sandbox) consoleConfig() (console.Config, error) {
	config, err := console.ConfigFromEnv(s.getenv)
	config.Addr = address(s.config.ConsolePort)
	if err != nil || s.config.Real || config.TokensFile != "" || config.TrustedProxies != "" {
		return config, err
	}
	line, err := console.NewPerson(personName,
		[]string{string(console.RoleRead), string(console.RoleAct), string(console.RoleReveal)})
	if err != nil {
		return config, err
	}
	config.AnyoneReads = true
	config.TokensFile = filepath.Join(s.config.Dir, tokensFile)
	if err := os.WriteFile(config.TokensFile, []byte(line+"\n"), 0o600); err != nil {
		return config, &PartError{Dir, err}
	}
	words := strings.Fields(line)
	s.ConsoleToken = words[len(words)-1]
	return config, nil
}
