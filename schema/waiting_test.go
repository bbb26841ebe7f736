package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFailuresSurviveTheirHeader(t *testing.T) {
	for text, want := range map[string]Failures{
		"":                        {},
		"transient=1":             {ClassTransient: 1},
		"not_ready=2 transient=3": {ClassTransient: 3, ClassNotReady: 2},
	} {
		got, err := ParseFailures(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if got.String() != text {
			t.Errorf("%q is written as %q", text, got)
		}
	}
	for _, text := range []string{"transient", "transient=", "transient=x", "transient=0", "=1"} {
		if got, err := ParseFailures(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestOneMoreFailureLeavesTheOthersAlone(t *testing.T) {
	before := Failures{ClassTransient: 1, ClassNotReady: 1}
	after := before.With(ClassTransient)
	if before[ClassTransient] != 1 || after[ClassTransient] != 2 || after[ClassNotReady] != 1 {
		t.Errorf("%v became %v", before, after)
	}
	if n := after.Total(); n != 3 {
		t.Errorf("%d failures in all, want 3", n)
	}
	if first := Failures(nil).With(ClassContract); first.Total() != 1 {
		t.Errorf("the first failure makes %v", first)
	}
}
