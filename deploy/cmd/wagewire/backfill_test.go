package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// lose makes webhooks that never arrive.
func (w *ward) lose(p *fake.Person, kinds ...string) {
	w.Helper()
	for _, kind := range kinds {
		webhook, err := w.fakes.Event(p, kind, fake.EventOptions{})
		w.must(err)
		lost := fake.SendOptions{Lost: true}
		if _, err := w.fakes.SendWith(w.Context(), webhook, lost); err == nil {
			w.Fatal("a lost webhook had an answer")
		}
	}
}

func TestABackfillStoresWhatIsMissing(t *testing.T) {
	w := newWard(t)
	p := w.fakes.Person(fake.PersonOptions{})
	w.lose(p, "income.added", "paystubs.fully_synced", "link-connected", "link-disconnected")
	const missing = `PROVIDER  TYPE                   COUNT  RESULT
pinwheel  account.added          1      missing, would be stored
pinwheel  income.added           1      missing, would be stored
pinwheel  paystubs.fully_synced  1      missing, would be stored
PROVIDER  TYPE               COUNT  RESULT
truv      link-connected     1      missing, would be stored
truv      link-disconnected  1      missing, would be stored
`
	got := w.does(0, "backfill", "--dry-run")
	if got.stdout != missing || len(w.keys()) != 0 {
		t.Errorf("got %s", got.stdout)
	}
	contains(t, got.stderr, "jobs read of Pinwheel: 2\n", "accounts read of Pinwheel: 1\n",
		"entries read of Truv's log: 2\n")
	got = w.does(0, "backfill")
	if got.stdout != strings.ReplaceAll(missing, "would be stored", "stored") ||
		len(w.keys()) != 5 {
		t.Errorf("got %s", got.stdout)
	}
	got = w.does(0, "backfill", "--provider", "truv")
	if got.stdout != `PROVIDER  TYPE               COUNT  RESULT
truv      link-connected     1      there
truv      link-disconnected  1      there
` || len(w.keys()) != 5 {
		t.Errorf("a second backfill: %s", got.stdout)
	}
}

func TestABackfillForAProgram(t *testing.T) {
	w := newWard(t)
	p := w.fakes.Person(fake.PersonOptions{})
	w.lose(p, "employment.added")
	var got backfillResult
	w.must(json.Unmarshal([]byte(w.does(0, "backfill", "--json", "--provider", "pinwheel",
		"--account", p.AccountID, "--settled", "30m").stdout), &got))
	if got.Found != 2 || got.Stored != 2 || got.Present != 0 || got.Left != 0 || got.DryRun ||
		got.Account != schema.Token(p.AccountID) || len(got.Events) != 2 ||
		got.Events[0].Event == "" || got.Events[0].Account != p.AccountID {
		t.Errorf("got %+v", got)
	}
	got = backfillResult{}
	w.must(json.Unmarshal([]byte(w.does(0, "backfill", "--json", "--provider", "pinwheel",
		"--settled", "2h").stdout), &got))
	if got.Found != 2 || got.Present != 2 || got.Events == nil || len(got.Events) != 0 {
		t.Errorf("a second backfill: %+v", got)
	}
}

func TestWorkersFinishWhatABackfillStores(t *testing.T) {
	w := newWard(t)
	w.work(nil, schema.Employment)
	p := w.fakes.Person(fake.PersonOptions{})
	w.lose(p, "employment.added")
	w.does(0, "backfill", "--provider", "pinwheel")
	var id string
	w.must(w.conn.Headings(t.Context(), stream.Selection{}, func(h stream.Heading) error {
		if h.Event.Type == "employment.added" {
			id = h.Event.Key()
		}
		return nil
	}))
	c := w.completed(id + ":employment")
	if c.Data.Outcome != schema.Succeeded || *c.Data.AccountID != p.AccountID {
		t.Errorf("got %+v", c)
	}
	contains(t, w.does(0, "trace", id).stdout, "sent as a backfill, stored as ")
}

func TestARepeatedBackfillGoesOnAfterAFault(t *testing.T) {
	w := newWard(t)
	p := w.fakes.Person(fake.PersonOptions{})
	_, err := w.fakes.AddFault(fake.Fault{Provider: fake.Truv, Status: 403, Times: 1})
	w.must(err)
	repeated := begin(t, w.getenv, "backfill", "--provider", "truv", "--every", "1m")
	repeated.stderr.await(t, "backfill of truv: get /v1/webhook-requests/: status 403")
	repeated.interrupt()
	if code := repeated.ends(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.lose(p, "link-connected")
	got := w.does(0, "backfill", "--provider", "truv")
	contains(t, got.stdout, "missing, stored")
}

func TestABackfillOfSeveralProvidersTriesEach(t *testing.T) {
	w := newWard(t)
	w.lose(w.fakes.Person(fake.PersonOptions{}), "link-connected")
	w.secret("PINWHEEL_API_SECRET_FILE", "an-old-secret-of-ours")
	got := w.does(1, "backfill")
	contains(t, got.stderr, "backfill of pinwheel: get /v1/jobs: status 401")
	contains(t, got.stdout, "truv      link-connected  1      missing, stored\n")
	if n := len(w.keys()); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestABackfillRefuses(t *testing.T) {
	for _, test := range []struct {
		promise string
		args    []string
		code    int
		says    string
	}{
		{"a time before the oldest event", []string{"--since", "15d"}, 2, "events are kept 14d"},
		{"an account without its provider", []string{"--account", "a"}, 2, "whose account it is"},
		{"an account and a time", []string{"--provider", "truv", "--account", "a", "--since", "1d"},
			2, "leave out --since"},
		{"many calls", []string{"--every", "1s"}, 2, "at least 1m0s"},
		{"an unknown provider", []string{"--provider", "acme"}, 2, "not one of pinwheel, truv"},
	} {
		got := wagewire(t, env(), append([]string{"backfill"}, test.args...)...)
		if got.code != test.code || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%s: %+v", test.promise, got)
		}
	}
	b := newBench(t)
	got := b.runs(1, "backfill")
	contains(t, got.stderr, fmt.Sprintf("none of %s, %s is set",
		"PINWHEEL_API_SECRET_FILE", "TRUV_ACCESS_SECRET_FILE"))
}

func TestABackfillHidesAccounts(t *testing.T) {
	w := newWard(t)
	p := w.fakes.Person(fake.PersonOptions{})
	w.lose(p, "income.added")
	got := w.does(0, "backfill", "--provider", "pinwheel")
	if strings.Contains(got.stdout+got.stderr, p.AccountID) {
		t.Errorf("it prints the account: %s%s", got.stdout, got.stderr)
	}
}
