package python_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

func TestATeamReadsItsCompletions(t *testing.T) {
	t.Parallel()
	i := serve(t)
	const digits = `{"id":"p-0","gross":123456789012345678901234567890,` +
		`"rate":0.123456789012345678901234567890}`
	large := `{"id":"p-1","text":"` + strings.Repeat("x", schema.CompletionBytesMax) + `"}`
	i.complete(t, "a-1", "e-1", digits)
	i.complete(t, "a-1", "e-2", large, digits)
	i.completeLink(t, "l-1", "e-3", schema.Deleted)
	p := i.start(t, orders{"do": "catch_up"})
	lines := p.end()
	records := map[string][]string{}
	for _, said := range lines {
		if said.Did == "stored" {
			records[said.Event] = said.Records
		}
	}
	want := map[string][]string{"e-1": {digits}, "e-2": {large, digits}}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := events(lines, "removed"); !cmp.Equal(got, []string{"e-3"}) {
		t.Errorf("removed %q", got)
	}
	if left := i.left(t); left != 0 {
		t.Errorf("%d completions are left", left)
	}
}
