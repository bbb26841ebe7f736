package api_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

// lock is an API that answers each secret with a status of its own, and 401 to any other secret.
// It remembers the secrets in order.
type lock struct {
	statuses map[string]int

	mu   sync.Mutex
	sent []string
}

func (l *lock) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	secret := r.Header.Get("X-Secret")
	l.sent = append(l.sent, secret)
	status, ok := l.statuses[secret]
	if !ok {
		status = http.StatusUnauthorized
	}
	return replyWith(status, "{}")(r)
}

// take returns the secrets sent since the last take.
func (l *lock) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent
	l.sent = nil
	return sent
}

func TestEverySecretIsTriedBefore401IsBelieved(t *testing.T) {
	tests := []struct {
		promise  string
		active   []string
		statuses map[string]int
		want     string // kind of error
		sent     []string
	}{
		{"a secret that works is the only one sent", []string{"a", "b"},
			map[string]int{"a": 200, "b": 200}, "", []string{"a"}},
		{"a refused secret is followed by the next", []string{"a", "b", "c"},
			map[string]int{"b": 200, "c": 200}, "", []string{"a", "b"}},
		{"the last one may be the one that works", []string{"a", "b", "c"},
			map[string]int{"c": 200}, "", []string{"a", "b", "c"}},
		{"all refused is a 401, and each was sent once", []string{"a", "b", "c"}, nil,
			"status 401", []string{"a", "b", "c"}},
		{"one alone and refused is a 401", []string{"a"}, nil, "status 401", []string{"a"}},
		{"the same secret on two lines is sent once", []string{"a", "a", "b"}, nil,
			"status 401", []string{"a", "b"}},
		{"403 is no reason for another secret", []string{"a", "b"},
			map[string]int{"a": 403, "b": 200}, "status 403", []string{"a"}},
		{"what follows a refusal is the answer", []string{"a", "b", "c"},
			map[string]int{"b": 404, "c": 200}, "status 404", []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			l := &lock{statuses: tt.statuses}
			c := client(t, l, func(cfg *settings) { cfg.Secrets = secretsOf(tt.active...) })
			if _, err := c.Get(t.Context(), things); kind(err) != tt.want {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			if diff := cmp.Diff(tt.sent, l.take()); diff != "" {
				t.Errorf("secrets sent (-want +got):\n%s", diff)
			}
		})
	}
}

// The steps share one Client, and each begins where the step before has ended.
func TestTheSecretThatWorkedLastIsTriedFirst(t *testing.T) {
	l := &lock{}
	var active []string
	c := client(t, l, func(cfg *settings) {
		cfg.Secrets = func() ([]string, error) { return active, nil }
	})
	steps := []struct {
		promise string
		active  []string
		works   string
		sent    []string
	}{
		{"before any success the first is tried first", []string{"a", "b"}, "b",
			[]string{"a", "b"}},
		{"the one that worked is tried first", []string{"a", "b"}, "b", []string{"b"}},
		{"in another line too", []string{"c", "d", "b"}, "b", []string{"b"}},
		{"if refused now, the others follow in order", []string{"c", "d", "b"}, "d",
			[]string{"b", "c", "d"}},
		{"if it is not active any more, it is not sent", []string{"c", "e"}, "e",
			[]string{"c", "e"}},
		{"if all are refused, it stays the first", []string{"c", "e"}, "none",
			[]string{"e", "c"}},
		{"until another works", []string{"c", "e"}, "c", []string{"e", "c"}},
	}
	for _, step := range steps {
		active = step.active
		l.statuses = map[string]int{step.works: 200}
		_, err := c.Get(t.Context(), things)
		if works := slices.Contains(step.active, step.works); works != (err == nil) {
			t.Errorf("%s: error is %v", step.promise, err)
		}
		if diff := cmp.Diff(step.sent, l.take()); diff != "" {
			t.Errorf("%s: secrets sent (-want +got):\n%s", step.promise, diff)
		}
	}
}

func TestARefusedSecretIsNotSentAgainInTheSameGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lock{statuses: map[string]int{"b": 503}}
		c := client(t, l, func(cfg *settings) { cfg.Secrets = secretsOf("a", "b") })
		if _, err := c.Get(t.Context(), things); kind(err) != "status 503" {
			t.Error(err)
		}
		sent := l.take()
		if len(sent) < 3 || sent[0] != "a" || slices.Contains(sent[1:], "a") {
			t.Errorf("secrets sent: %v", sent)
		}
	})
}

func TestASecretThatComesWhileOthersAreRefusedIsTried(t *testing.T) {
	l := &lock{statuses: map[string]int{"new": 200}}
	reads := 0
	c := client(t, l, func(cfg *settings) {
		cfg.Secrets = func() ([]string, error) {
			reads++
			if reads == 1 {
				return []string{"old"}, nil
			}
			return []string{"new"}, nil
		}
	})
	if _, err := c.Get(t.Context(), things); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"old", "new"}, l.take()); diff != "" {
		t.Errorf("secrets sent (-want +got):\n%s", diff)
	}
}

func TestSecretsAreReadAgainOnlyWhenAllAreRefused(t *testing.T) {
	for _, tt := range []struct {
		promise string
		active  []string
		reread  []string
		works   string
		sent    []string
		reads   int // with Reread
	}{
		{"a secret that works is read once", []string{"a"}, nil, "a", []string{"a"}, 0},
		{"the next secret comes first", []string{"a", "b"}, nil, "b", []string{"a", "b"}, 0},
		{"a secret added a moment ago is tried", []string{"a"}, []string{"a", "b"}, "b",
			[]string{"a", "b"}, 1},
		{"a secret in the place of another is tried", []string{"a"}, []string{"b"}, "b",
			[]string{"a", "b"}, 1},
		{"without a new secret, 401 is believed", []string{"a"}, []string{"a"}, "none",
			[]string{"a"}, 1},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			l := &lock{statuses: map[string]int{tt.works: 200}}
			reads := 0
			c := client(t, l, func(cfg *settings) {
				cfg.Secrets = secretsOf(tt.active...)
				cfg.Reread = func() ([]string, error) {
					reads++
					return tt.reread, nil
				}
			})
			_, err := c.Get(t.Context(), things)
			if works := tt.works != "none"; works != (err == nil) {
				t.Errorf("error is %v", err)
			}
			if diff := cmp.Diff(tt.sent, l.take()); diff != "" || reads != tt.reads {
				t.Errorf("read again %d times, want %d; secrets sent (-want +got):\n%s",
					reads, tt.reads, diff)
			}
		})
	}
}

func TestEachSecretsTryTakesATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := &lock{statuses: map[string]int{"c": 200}}
		c := client(t, l, func(cfg *settings) {
			cfg.Secrets = secretsOf("a", "b", "c")
			cfg.Pace = paced(t, 0.1)
		})
		if _, err := c.Get(t.Context(), things); err != nil {
			t.Error(err)
		}
		want := 2*schema.Interval(0.1) - schema.BurstFor // the first try starts at once
		if took := time.Since(began); took != want {
			t.Errorf("three tries took %v, want %v", took, want)
		}
	})
}

func TestRefusedTriesTakeNoTimeFromRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowly := func(status int) reply {
			return func(r *http.Request) (*http.Response, error) {
				time.Sleep(14 * time.Second) //nolint:forbidigo // moves the bubble's clock
				return replyWith(status, "{}")(r)
			}
		}
		f := &fake{replies: []reply{slowly(401), slowly(401), replyWith(503, ""), slowly(200)}}
		c := client(t, f, func(cfg *settings) { cfg.Secrets = secretsOf("a", "b", "c") })
		if _, err := c.Get(t.Context(), things); err != nil || len(f.calls) != 4 {
			t.Errorf("%v after %d calls", err, len(f.calls))
		}
	})
}

func TestACallerWhoStopsBetweenSecretsIsToldNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lock{}
		c := client(t, l, func(cfg *settings) {
			cfg.Secrets = secretsOf("a", "b")
			cfg.Pace = paced(t, 0.1)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Get(ctx, things); kind(err) != "context deadline exceeded" {
			t.Errorf("error is %v, want the end of ctx alone: b was not tried", err)
		}
	})
}
