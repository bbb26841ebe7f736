package webhook

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

func TestEveryProviderHasAScheme(t *testing.T) {
	for _, p := range schema.Providers() {
		if err := Covers(p); err != nil {
			t.Error(err)
		}
		if schemes[p].readSignature == nil || SecretsName(p) == "" {
			t.Errorf("the scheme of %s reads no signature, or does not name the secrets", p)
		}
	}
	for p := range schemes {
		if !p.Known() {
			t.Errorf("schemes has %s, and schema.Providers does not", p)
		}
	}
}

func TestAProviderWithoutASchemeIsToldWhichFilesToAdd(t *testing.T) {
	const want = "provider argyle has no signature scheme: write ingress/webhook/argyle.go, " +
		"and add its row to schemes in ingress/webhook/webhook.go"
	if err := Covers("argyle"); err == nil || err.Error() != want {
		t.Errorf("Covers: %v, want %s", err, want)
	}
	if SignsTime("argyle") {
		t.Error("a provider without a scheme signs a time")
	}
}

// The names decide which bodies are refused for a key in two spellings.
func TestTheMembersReadAreThoseOfTheLayoutAndTheCatalogue(t *testing.T) {
	for p, names := range map[schema.Provider][]string{
		schema.Pinwheel: {"event_id", "event", "payload", "account_id", "end_user_id", "timestamp"},
		schema.Truv:     {"webhook_id", "event_type", "updated_at", "event_created_at", "link_id"},
	} {
		slices.Sort(names)
		want := memberSet{names: names, depth: 2}
		if diff := cmp.Diff(want, members[p], cmp.AllowUnexported(memberSet{})); diff != "" {
			t.Errorf("the members of %s differ (-want +got):\n%s", p, diff)
		}
	}
}

func TestAPathMayBeOfAnyLength(t *testing.T) {
	wanted := membersOn([]string{"meta.event.id", "type"})
	for name, row := range map[string]struct {
		body string
		want fields
		err  error
	}{
		"a string at a long path is found": {
			`{"type":"t","meta":{"event":{"id":"e1"}}}`,
			fields{"type": "t", "meta.event.id": "e1"}, nil},
		"the same names elsewhere are not on the path": {
			`{"id":"a","event":{"id":"b"},"x":{"event":{"id":"c"}},"meta":[{"event":{"id":"d"}}]}`,
			fields{"id": "a", "event.id": "b"}, nil},
		"names joined by dots are no path": {
			`{"meta.event.id":"e1","meta":{"event.id":"e1"}}`, fields{}, nil},
		"an empty name leads nowhere": {`{"":{"type":"t","":"x"}}`, fields{}, nil},
		"letter case matters as deep as the path goes": {
			`{"meta":{"event":{"id":"e1","ID":"e2"}}}`, nil, errDuplicateKey},
		"letter case does not matter deeper": {
			`{"a":{"a":{"a":{"id":"e1","ID":"e2"}}}}`, fields{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readObject([]byte(row.body), wanted)
			if row.err != nil {
				expectUnreadable(t, err, schema.QuarantineDuplicateKey)
				return
			}
			if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
				t.Errorf("found %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
