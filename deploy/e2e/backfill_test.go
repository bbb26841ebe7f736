package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/backfill"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/fetch"
)

// lose TYPE [id=ID]
func (s *script) lose(_ *testscript.TestScript, args arguments) error {
	if err := args.only("id"); err != nil || len(args.words) != 1 {
		return errors.Join(err, errors.New("usage: lose TYPE [id=ID]"))
	}
	in := object(args)
	in["type"] = args.words[0]
	in["lost"] = true
	return s.control(http.MethodPost, "webhooks", in, nil)
}

// backfill PROVIDER
func (s *script) backfill(ts *testscript.TestScript, args arguments) error {
	if err := args.only(); err != nil || len(args.words) != 1 {
		return errors.Join(err, errors.New("usage: backfill PROVIDER"))
	}
	p := schema.Provider(args.words[0])
	secret := ts.MkAbs(string(p) + ".secret")
	if err := os.WriteFile(secret, []byte(fake.Secret(string(p))), 0o600); err != nil {
		return err
	}
	env := map[string]string{fetch.SecretVariable(p): secret}
	for name, value := range fake.Environment(string(p), s.stack.Addresses().Providers) {
		env[p.Variable(name)] = value
	}
	findings, err := backfill.Run(s.ctx, stream.NewOperator(s.conn), backfill.Config{
		Provider: p,
		Since:    time.Now().Add(-time.Hour),
		// The fakes stamp data a little after its webhook, so it may be younger than now.
		SettledFor: -time.Minute,
		Getenv:     func(name string) string { return env[name] },
		Log:        zap.NewNop(),
		Tell:       func(string) {},
	})
	for _, f := range findings {
		fmt.Fprintf(ts.Stdout(), "%s %s %s\n", f.Verdict, f.Type, f.Why)
	}
	return err
}
