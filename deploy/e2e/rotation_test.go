package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// The procedure "Rotate a secret" of deploy/README.md, under traffic: the new secret goes below the
// old one, the provider switches, the old secret goes. At Truv and at Pinwheel one secret signs
// webhooks and opens the API. No webhook is refused, and no event needs a second attempt.
func TestASecretIsRotatedUnderTraffic(t *testing.T) {
	t.Parallel()
	for p, webhookType := range map[schema.Provider]string{
		schema.Pinwheel: "employment.added",
		schema.Truv:     "link-connected",
	} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			s := upInProcess(t, startOutside(t, asIs), nil)
			providers := s.stack.(*outside)
			old := fake.Secret(string(p))
			next := "the-next-secret-of-" + string(p)
			files := []string{signingFile(providers.dir, p), callingFile(providers.dir, p)}

			sends := s.startTraffic(t, webhookType)
			sends.wait(t, 3)
			for _, file := range files {
				appendLine(t, file, next)
			}
			// The provider switches at once, because a new line is active at once. After some more
			// webhooks, nothing that the old secret signed is on the way.
			providers.fakes.SetSecret(string(p), next)
			sends.wait(t, 3)
			for _, file := range files {
				replace(t, file, next)
			}
			sends.wait(t, 3)
			for _, id := range sends.stop(t) {
				c := s.completed(t, id)
				if c.Data.Outcome != schema.Succeeded || c.Data.Attempts != 1 {
					t.Errorf("%s ended %s at attempt %d", id, c.Data.Outcome, c.Data.Attempts)
				}
			}
			if status := s.postSigned(t, p, old); status != http.StatusUnauthorized {
				t.Errorf("after the rotation, the old secret is answered %d, want 401", status)
			}
		})
	}
}

// asIs is a rewrite that changes nothing.
func asIs(url, secret string) (newURL, newSecret string) { return url, secret }

// traffic is webhooks about one person, one after the other, each sent only once.
type traffic struct {
	group  errgroup.Group
	cancel context.CancelFunc
	count  atomic.Int64
	ids    []string // complete when group has ended
	s      *script
}

// startTraffic sends webhooks until stop. Ingress must answer 200 to each.
func (s *script) startTraffic(t *testing.T, webhookType string) *traffic {
	t.Helper()
	person := s.newPerson(t)
	ctx, cancel := context.WithCancel(s.ctx)
	sends := &traffic{cancel: cancel, s: s}
	t.Cleanup(func() { cancel(); _ = sends.group.Wait() })
	sends.group.Go(func() error {
		for ctx.Err() == nil {
			var sent fake.Sent
			in := map[string]any{"type": webhookType, "account": person.AccountID}
			if err := s.control(http.MethodPost, "webhooks", in, &sent); err != nil {
				return err
			}
			if sent.Status != http.StatusOK {
				return fmt.Errorf("%s %s was answered %d", sent.Type, sent.ID, sent.Status)
			}
			sends.ids = append(sends.ids, sent.ID)
			sends.count.Add(1)
		}
		return nil
	})
	return sends
}

// wait returns after n more webhooks were begun and answered.
func (sends *traffic) wait(t *testing.T, n int64) {
	t.Helper()
	enough := sends.count.Load() + n + 1 // one is on the way now
	ended := make(chan error, 1)
	go func() { ended <- sends.group.Wait() }()
	err := sends.s.waitFor("more webhooks", func(context.Context) (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("the traffic has ended: %w", err)
		default:
			return sends.count.Load() >= enough, nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// stop ends the traffic, and returns the ids of its webhooks.
func (sends *traffic) stop(t *testing.T) []string {
	t.Helper()
	sends.cancel()
	if err := sends.group.Wait(); err != nil {
		t.Fatal(err)
	}
	return sends.ids
}

// postSigned sends a body signed with a secret, and returns the status of the answer.
func (s *script) postSigned(t *testing.T, p schema.Provider, secret string) (status int) {
	t.Helper()
	url := s.stack.Addresses().Webhooks + "/" + string(p)
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.Sign(string(p), request.Header, secret, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	status, _, err = s.do(request)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// appendLine adds a line to a file, as echo does with >>.
func appendLine(t *testing.T, path, line string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
}

// replace puts another file with the line in the place of a file.
func replace(t *testing.T, path, line string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}
