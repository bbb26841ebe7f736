package glossary_test

import (
	"testing"

	"github.com/wagewire/wagewire/deploy/glossary"
	"github.com/wagewire/wagewire/schema"
)

func TestEveryWordHasAMeaning(t *testing.T) {
	for _, w := range glossary.Words() {
		if w.Means == "" {
			t.Errorf("the %s %s has none", w.Kind, w.Name)
		}
	}
}

func TestEveryEndOfATaskOfTruvIsExplained(t *testing.T) {
	for _, code := range []string{
		"login_error", "mfa_error", "config_error", "account_locked", "unable_to_reset",
		"unavailable", "error", "no_data", "not_supported", "no_report",
	} {
		found := false
		for _, w := range glossary.Named(code) {
			found = found || w.Kind == glossary.OfTask
		}
		if !found {
			t.Errorf("%s is not", code)
		}
	}
}

func TestAWordOfTwoKindsHasBothMeanings(t *testing.T) {
	words := glossary.Named(string(schema.AccountDisconnected))
	if len(words) != 2 || words[0].Kind != glossary.OfAccount ||
		words[1].Kind != glossary.OfOutcome {
		t.Errorf("got %+v", words)
	}
	if words := glossary.Named("nothing"); len(words) != 0 {
		t.Errorf("a name that is no word has %+v", words)
	}
}
