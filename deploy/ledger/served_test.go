package ledger

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

func TestEveryProviderHasARow(t *testing.T) {
	for _, p := range schema.Providers() {
		row, ok := providers[p]
		if !ok || row.called == nil || row.recordsIn == nil ||
			row.refreshedAt == nil || row.announced == nil {
			t.Errorf("%s: add a complete row to providers in deploy/ledger/provider.go", p)
		}
	}
}

func TestACallIsReadFromItsPath(t *testing.T) {
	for _, row := range []struct {
		name, path string
		want       Call
	}{
		{"of an account", "/pinwheel/v1/accounts/a-1/paystubs",
			Call{Target: Target{"a-1", "paystubs"}, Provider: schema.Pinwheel}},
		{"of a person", "/pinwheel/v1/end_users/u-1/verification_reports/latest",
			Call{Target: Target{"u-1", "verification_reports"}, Provider: schema.Pinwheel}},
		{"of an account itself", "/pinwheel/v1/accounts/a-1", Call{
			Target: Target{"a-1", "link"}, Provider: schema.Pinwheel}},
		{"of a person's accounts", "/pinwheel/v1/end_users/u-1/accounts", Call{
			Target:        Target{"u-1", "verification_reports"},
			Provider:      schema.Pinwheel,
			ListsAccounts: true,
		}},
		{"of a link", "/truv/v1/links/l-1/", Call{Target: Target{"l-1", "link"}, Provider: schema.Truv}},
		{"of an odd account", "/truv/v1/links/a%2Fb%20c/",
			Call{Target: Target{"a/b c", "link"}, Provider: schema.Truv}},
		{"of an unknown provider", "/acme/v1/links/l-1/", Call{Provider: "acme"}},
		{"of nothing", "/", Call{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := ParseCall(row.path); got != row.want {
				t.Errorf("ParseCall = %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestATeeKeepsAnAnswer(t *testing.T) {
	link := Call{Target: Target{"l-1", "link"}, Provider: schema.Truv}
	const body = `{"access_token":"t","id":"l-1"}`
	for _, row := range []struct {
		name     string
		status   int
		complete bool
		records  int
		answers  Answers
	}{
		{"with data", 200, true, 1, Answers{}},
		{"that was cut", 200, false, 0, Answers{Broken: 1}},
		{"with a status for no data", 404, true, 0, Answers{Lagging: 1}},
		{"that was cut after a status", 410, false, 0, Answers{Broken: 1, Gone: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var announced []int
			w := httptest.NewRecorder()
			tee := NewTee(w, func(status int) {
				announced = append(announced, status)
				if w.Body.Len() > 0 {
					t.Error("the caller has data before the hook")
				}
			})
			tee.WriteHeader(row.status)
			if _, err := http.ResponseWriter(tee).Write([]byte(body)); err != nil {
				t.Fatal(err)
			}
			s := NewServed()
			s.NoteTee(link, tee, row.complete)
			if !slices.Equal(announced, []int{row.status}) || w.Code != row.status ||
				w.Body.String() != body {
				t.Errorf("%v announced, status %d, body %s", announced, w.Code, w.Body)
			}
			if n := s.CountRecords(); n != row.records {
				t.Errorf("%d records, want %d", n, row.records)
			}
			if got := s.AnswersTo(link.Target); got != row.answers {
				t.Errorf("answers %+v, want %+v", got, row.answers)
			}
			hasRecord := s.HasServed(link.Target, []byte(`{"id":"l-1"}`))
			if hasRecord != (row.records > 0) || s.IsTroubled("l-1") == hasRecord {
				t.Errorf("served %t, troubled %t", hasRecord, s.IsTroubled("l-1"))
			}
		})
	}
}

func TestManyMayWriteAtOnce(t *testing.T) {
	const writers = 8
	l := New()
	s := NewServed()
	c := NewCheck(l, s, steps, nil)
	w := NewWebhook(Genuine, fake.Webhook{
		Provider: fake.Pinwheel, ID: "e1", Type: "income.added", Account: account,
		Body: []byte(`{}`),
	})
	about := Call{Target: Target{account, "income"}, Provider: schema.Pinwheel}
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			l.AddPerson(account, Person{})
			l.AddWebhook(w)
			l.AddAnswer(w, 200)
			l.AddRedrive(w.Key(), "", 1)
			s.Note(about, 503, nil)
			c.AddVersion(Message{})
			c.Violate(Waiting, "queues", "no progress")
			for _, e := range l.Entries() {
				e.Answers[200]++ // a copy
			}
		})
	}
	group.Wait()
	if got := s.AnswersTo(about.Target).Broken; got != writers {
		t.Errorf("%d broken answers, want %d", got, writers)
	}
	var answers []int
	for key, e := range l.Entries() {
		answers = append(answers, e.Answers[200])
		if key != w.Key() || !e.IsAccepted() {
			t.Errorf("entry %s, accepted %t", key, e.IsAccepted())
		}
	}
	if !slices.Equal(answers, []int{writers}) || l.Sent() != writers || l.Accepted() != 1 {
		t.Errorf("answers %v, %d sent, %d accepted", answers, l.Sent(), l.Accepted())
	}
	if got := len(c.Violations()); got != writers {
		t.Errorf("%d violations, want %d", got, writers)
	}
}
