package trace_test

import (
	"testing"

	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
)

func TestANameMatchesItsEvents(t *testing.T) {
	webhook := schema.Event{Provider: schema.Pinwheel, ID: "e-1"}
	redrive := schema.Event{Provider: schema.Pinwheel, ID: "e-1", Redrive: 1}
	foreign := schema.Event{Provider: schema.Truv, ID: "e-1"}
	odd := schema.Event{Provider: schema.Pinwheel, ID: "an id.with:r1"}
	for promise, test := range map[string]struct {
		name      string
		event     schema.Event
		isMatched bool
	}{
		"an id is the webhook's":                     {"e-1", webhook, true},
		"an id is the redrive's":                     {"e-1", redrive, true},
		"an id is of every provider":                 {"e-1", foreign, true},
		"another id is not":                          {"e-2", webhook, false},
		"a key is of its provider":                   {"truv:e-1", foreign, true},
		"a key is of no other provider":              {"pinwheel:e-1", foreign, false},
		"a key without a number is the redrive's":    {"pinwheel:e-1", redrive, true},
		"a key with a number is the redrive's":       {"pinwheel:e-1:r1", redrive, true},
		"a key with a number is not the webhook's":   {"pinwheel:e-1:r1", webhook, false},
		"a key with another number is another's":     {"pinwheel:e-1:r2", redrive, false},
		"an id that looks like a redrive's is an id": {"an id.with:r1", odd, true},
		"the token of an id is a name":               {schema.Token(odd.ID), odd, true},
		"a provider that is not known is part of id": {"plaid:e-1", webhook, false},
		"no text is no event":                        {"", webhook, false},
	} {
		if is := trace.ParseName(test.name).Matches(test.event); is != test.isMatched {
			t.Errorf("%s: %q matches %s: %t", promise, test.name, test.event.Key(), is)
		}
	}
}
