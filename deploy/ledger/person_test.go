package ledger

import (
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

const (
	person      = "user-1"
	voe         = `{"id":"voe"}`
	voie        = `{"id":"voie"}`
	reportsType = "verification_reports.refreshed"
)

// personScene is a good scene with an event that names a person with two accounts. The event is not
// completed.
func personScene() (s *scene, refreshed Webhook) {
	s, _ = goodScene()
	about := Call{
		Target: Target{person, string(schema.VerificationReports)}, Provider: schema.Pinwheel,
	}
	s.served.Note(about, 200, []byte(`{"data":`+voe+`}`))
	s.served.Note(about, 200, []byte(`{"data":`+voie+`}`))
	about.ListsAccounts = true
	s.served.Note(about, 200, []byte(`{"data":[{"id":"p-1"},{"id":"p-2"}],"meta":{"count":2}}`))
	refreshed = s.send(Genuine, fake.Pinwheel, "v1", reportsType, person, `{}`, 200)
	s.store(refreshed, `{}`)
	return s, refreshed
}

// completeOf adds the completion of the event for an account of the person, or for the person if
// the account is "".
func (s *scene) completeOf(w Webhook, account string, o schema.Outcome,
	with func(*schema.Completion)) {
	e := w.Event()
	e.Of = account
	c := schema.NewCompletion(e, schema.VerificationReports, o, time.Unix(0, 0))
	if account != "" {
		c.Data.AccountID = &account
	}
	with(&c)
	s.publish(e, schema.VerificationReports, c)
}

func TestCheckOfAPersonFinds(t *testing.T) {
	both := records(voe, voie)
	notReady := func(c *schema.Completion) {
		c.Data.Error = &schema.CompletionError{Class: string(schema.ClassNotReady)}
	}
	for _, row := range []struct {
		name string
		do   func(s *scene, refreshed Webhook)
		want []string
	}{
		{"nothing when each account has a completion", func(s *scene, w Webhook) {
			s.completeOf(w, "p-1", schema.Succeeded, both)
			s.completeOf(w, "p-2", schema.Succeeded, both)
		}, nil},
		{"an account without a completion", func(s *scene, w Webhook) {
			s.completeOf(w, "p-1", schema.Succeeded, both)
		}, []string{Unfinished}},
		{"accounts without a completion beside the person's own", func(s *scene, w Webhook) {
			s.completeOf(w, "", schema.Succeeded, both)
		}, []string{Unfinished}},
		{"nothing when the provider failed, and the person has the completion",
			func(s *scene, w Webhook) {
				about := Call{
					Target:   Target{person, string(schema.VerificationReports)},
					Provider: schema.Pinwheel,
				}
				for range steps.NotReady + 1 {
					s.served.Note(about, 404, nil)
				}
				s.completeOf(w, "", schema.Unavailable, notReady)
			}, nil},
		{"a completion of an account that the provider did not name", func(s *scene, w Webhook) {
			s.completeOf(w, "p-1", schema.Succeeded, both)
			s.completeOf(w, "p-2", schema.Succeeded, both)
			s.completeOf(w, "p-3", schema.Succeeded, both)
		}, []string{Invented}},
		{"a completion of an account that disappeared", func(s *scene, w Webhook) {
			s.completeOf(w, "p-1", schema.Succeeded, both)
			s.completeOf(w, "p-2", schema.Succeeded, both)
			s.completions = s.completions[:len(s.completions)-1]
		}, []string{Unfinished}},
		{"two completions of one account", func(s *scene, w Webhook) {
			s.completeOf(w, "p-1", schema.Succeeded, both)
			s.completeOf(w, "p-2", schema.Succeeded, both)
			s.completeOf(w, "p-2", schema.Succeeded, both)
		}, []string{Twice}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, refreshed := personScene()
			row.do(s, refreshed)
			wantViolations(t, s, row.want)
		})
	}
}
