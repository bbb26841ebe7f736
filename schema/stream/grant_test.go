package stream_test

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func TestRoleOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ingress": "ingress", "wagewire-paystubs": "paystubs", "wagewire-verification-reports": "verification-reports",
		"wagewire": "wagewire", "a.b": schema.Token("a.b"), "*": schema.Token("*"), ">": schema.Token(">"), "": schema.Token(""),
	} {
		got := stream.RoleOf(name)
		if got != want || got == "" || strings.ContainsAny(got, ".*> ") {
			t.Errorf("the role of %q is %q, want %q", name, got, want)
		}
	}
}

// What the grants are good for is tested with a broker, in deploy/nats. Here is what no new line
// may break.
func TestGrants(t *testing.T) {
	t.Parallel()
	roles := map[string]bool{}
	for _, grant := range stream.Grants() {
		if roles[grant.Role] {
			t.Errorf("two grants for %s", grant.Role)
		}
		roles[grant.Role] = true
		if grant.Role == stream.RoleOperator {
			continue
		}
		if len(grant.Subscribe) != 1 || grant.Subscribe[0] != "_INBOX."+grant.Role+".>" {
			t.Errorf("%s subscribes to %v, want its inbox alone", grant.Role, grant.Subscribe)
		}
		for _, subject := range grant.Publish {
			for _, verb := range []string{"STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.RESTORE", "CONSUMER.PAUSE", "CONSUMER.RESET"} {
				if strings.Contains(subject, verb) {
					t.Errorf("%s may %s", grant.Role, subject)
				}
			}
			// A queue's own name is the only thing that may be in the place of a consumer of the
			// events.
			if subject == ">" || strings.HasPrefix(subject, "*") || strings.HasPrefix(subject, "$JS.API.>") || strings.HasPrefix(subject, "$JS.API.*") ||
				strings.Contains(subject, schema.EventsStream+".*") || strings.Contains(subject, schema.EventsStream+".>") {
				t.Errorf("%s may publish %s", grant.Role, subject)
			}
		}
	}
	for _, r := range []string{"ingress", "employment", "identity", "income", "paystubs", "shifts", "verification-reports", "link", "wagewire", "consumer"} {
		if !roles[r] {
			t.Errorf("no grant for %s", r)
		}
	}
	if len(roles) != 10 {
		t.Errorf("%d roles", len(roles))
	}
}
