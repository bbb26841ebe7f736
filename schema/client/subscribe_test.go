package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/stream"
)

// left is what the durable has left.
func (i *installation) left(t testing.TB) uint64 {
	t.Helper()
	durables, err := stream.NewOperator(i.Conn).Durables(t.Context())
	must(t, err)
	for _, d := range durables {
		if d.Name == lending {
			return d.Lag()
		}
	}
	t.Fatal("the durable is not there")
	return 0
}

func TestATeamWithItsKeyReadsItsCompletions(t *testing.T) {
	t.Parallel()
	i := serve(t)
	large := `{"id":"p-1","text":"` + strings.Repeat("x", schema.CompletionBytesMax) + `"}`
	i.complete(t, "a-1", "e-1", `{"id":"p-0","gross":123456789012345678901234567890}`)
	i.complete(t, "a-1", "e-2", large, `{"id":"p-2"}`)
	i.erase(t, "l-1", "e-3")
	p := newProgram()
	stop := subscribe(t, i.connect(t), client.Subscription{}, p)
	got := p.wait(t, 3)
	must(t, stop())
	slices.Sort(got)
	want := []string{
		"remove e-3", `store e-1 {"id":"p-0","gross":123456789012345678901234567890}`,
		"store e-2 " + large + ` {"id":"p-2"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if left := i.left(t); left != 0 {
		t.Errorf("%d completions are left", left)
	}
}

func TestAWrongTeamIsAClearErrorAtTheStart(t *testing.T) {
	t.Parallel()
	i := serve(t)
	for _, durable := range []string{"other", "nobody"} {
		err := i.connect(t).Subscribe(t.Context(), client.Subscription{Durable: durable},
			newProgram())
		if !errors.Is(err, client.ErrNoDurable) || !strings.Contains(err.Error(), "team add") {
			t.Errorf("durable %s: %v", durable, err)
		}
	}
}
