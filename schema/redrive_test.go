package schema_test

import (
	"testing"

	"github.com/wagewire/wagewire/schema"
)

func TestARedrivesID(t *testing.T) {
	for promise, test := range map[string]struct {
		id   string
		n    int
		want string
	}{
		"is the webhook's own id for redrive 0": {"e-1", 0, "e-1"},
		"ends in the number of the redrive":     {"e-1", 2, "e-1:r2"},
		"keeps an id with another such ending":  {"e-1:r1", 3, "e-1:r1:r3"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := schema.RedriveID(test.id, test.n)
			if got != test.want {
				t.Errorf("RedriveID(%s, %d) = %s, want %s", test.id, test.n, got, test.want)
			}
			if original := schema.OriginalID(got, test.n); original != test.id {
				t.Errorf("OriginalID(%s, %d) = %s, want %s", got, test.n, original, test.id)
			}
		})
	}
}

func TestARedriveHasAKeyAndACompletionOfItsOwn(t *testing.T) {
	e := employmentAdded()
	redriven := e
	redriven.Redrive = 2
	if got, want := redriven.Key(), e.Key()+":r2"; got != want {
		t.Errorf("Key = %s, want %s", got, want)
	}
	if got, want := redriven.CompletionKey("income"), e.Key()+":r2:income"; got != want {
		t.Errorf("CompletionKey = %s, want %s", got, want)
	}
	if redriven.CompletionSubject("income") == e.CompletionSubject("income") {
		t.Errorf("the completions of both have the subject %s", e.CompletionSubject("income"))
	}
	if redriven.Subject() != e.Subject() {
		t.Errorf("Subject = %s, want %s: the account keeps its events",
			redriven.Subject(), e.Subject())
	}
}

func TestTheRedriveStandsInTheIDOfACompletion(t *testing.T) {
	for id, want := range map[string]int{
		"pinwheel:e-1:income":                          0,
		"pinwheel:e-1:r12:income":                      12,
		"pinwheel:e-1:r2:verification_reports:account": 2,
		"pinwheel:e-1:verification_reports:r3":         0,
		"pinwheel:r1:income":                           0,
		"pinwheel:e-1:r0:income":                       0,
		"something else":                               0,
	} {
		if got := schema.RedriveOf(id); got != want {
			t.Errorf("RedriveOf(%s) = %d, want %d", id, got, want)
		}
	}
}
