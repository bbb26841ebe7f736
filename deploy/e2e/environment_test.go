package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/fetch"
)

// outside is a stack whose providers are outside the deployment, as real ones are: the deployment
// knows them from its environment alone.
type outside struct {
	*inProcess
	fakes *fake.Providers
	api   *httptest.Server
	dir   string // has the files with secrets
}

// signingFile is the file with the secrets that sign a provider's webhooks.
func signingFile(dir string, p schema.Provider) string {
	return filepath.Join(dir, string(p)+".signing")
}

// callingFile is the file with the secrets that open a provider's API.
func callingFile(dir string, p schema.Provider) string {
	return filepath.Join(dir, string(p)+".calling")
}

// rewrite changes the URL of a provider and the text of the file with its secrets.
type rewrite func(url, secret string) (newURL, newSecret string)

// startOutside returns a starter of a stack with the fakes outside, and a changed environment.
func startOutside(t *testing.T, change rewrite) starter {
	return startOutsideWith(t, change, sandbox.Config{})
}

// startOutsideWith is startOutside with more settings of the sandbox.
func startOutsideWith(t *testing.T, change rewrite, c sandbox.Config) starter {
	t.Helper()
	port := streamtest.FreePort(t)
	return func(ctx context.Context, dir string, variables map[string]string) (stack, error) {
		webhooks := fmt.Sprintf("http://127.0.0.1:%d/webhooks", port)
		o := &outside{fakes: fake.New(fake.Config{WebhookURL: webhooks}), dir: dir}
		o.api = httptest.NewServer(o.fakes)
		env, err := environmentOf(o.api.URL, dir, change)
		if err != nil {
			return nil, errors.Join(err, o.closeFakes())
		}
		maps.Copy(env, variables)
		c.Real = true
		c.WebhooksPort = port
		o.inProcess, err = startSandbox(ctx, dir, env, c)
		if err != nil {
			return nil, errors.Join(err, o.closeFakes())
		}
		return o, nil
	}
}

// environmentOf returns the changed variables of the fakes at the URL, and writes the files with
// secrets to dir.
func environmentOf(url, dir string, change rewrite) (map[string]string, error) {
	env := map[string]string{}
	for _, p := range schema.Providers() {
		for name, value := range fake.Environment(string(p), url) {
			env[p.Variable(name)] = value
		}
		secret := fake.Secret(string(p))
		newURL, newSecret := change(env[p.Variable("URL")], secret)
		signing := signingFile(dir, p)
		calling := callingFile(dir, p)
		env[p.Variable("URL")] = newURL
		env[p.Variable("SECRETS_FILE")] = signing
		env[fetch.SecretVariable(p)] = calling
		err := errors.Join(os.WriteFile(signing, []byte(secret+"\n"), 0o600),
			os.WriteFile(calling, []byte(newSecret+"\n"), 0o600))
		if err != nil {
			return nil, err
		}
	}
	return env, nil
}

func (o *outside) Addresses() addresses {
	a := o.inProcess.Addresses()
	a.Providers = o.api.URL
	return a
}

func (o *outside) Close() error { return errors.Join(o.inProcess.Close(), o.closeFakes()) }

func (o *outside) closeFakes() error {
	o.fakes.Close()
	o.api.Close()
	return nil
}

// An operator writes URLs and secrets in more than one way. Each way works, and the first attempt
// brings the data.
func TestProvidersAreFoundFromTheEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		promise string
		change  rewrite
	}{
		{"with a URL that ends in the version", func(url, secret string) (string, string) {
			return url + "/v1", secret
		}},
		{"with a URL that ends in slashes", func(url, secret string) (string, string) {
			return url + "/v1//", secret
		}},
		{"with two secrets, the first of which is refused", func(url, secret string) (string, string) {
			return url, "a-secret-of-last-year\n" + secret
		}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			t.Parallel()
			s := upInProcess(t, startOutside(t, test.change), nil)
			p := s.newPerson(t)
			for _, webhookType := range []string{"employment.added", "link-connected"} {
				c := s.completed(t, s.webhook(t, webhookType, p))
				if c.Data.Outcome != schema.Succeeded || c.Data.Attempts != 1 {
					t.Errorf("%s ended %s at attempt %d: %+v", webhookType, c.Data.Outcome,
						c.Data.Attempts, c.Data.Error)
				}
			}
		})
	}
}

// completed waits for the completion of an event.
func (s *script) completed(t *testing.T, id string) (c completion) {
	t.Helper()
	err := s.waitFor("the completion of "+id, func(ctx context.Context) (found bool, err error) {
		c, found, err = s.completionOf(ctx, id, "")
		return found, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
