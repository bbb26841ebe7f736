package process

import (
	"runtime"
	"testing"
)

func TestTheVersionIsTheLinkersWhereItWroteOne(t *testing.T) {
	before := version
	t.Cleanup(func() { version = before })
	version = "v1.2.3"
	if got, want := Version(), "v1.2.3 "+runtime.Version(); got != want {
		t.Errorf("the version is %q, want %q", got, want)
	}
	version = ""
	if got, want := Version(), "(devel) "+runtime.Version(); got != want {
		t.Errorf("of a test's binary the version is %q, want %q", got, want)
	}
}
