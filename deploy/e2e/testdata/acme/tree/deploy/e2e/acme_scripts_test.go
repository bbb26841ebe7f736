package e2e

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestAcmeScripts runs the scripts about Acme against a deployment that knows Acme.
func TestAcmeScripts(t *testing.T) {
	testscript.Run(t, params(t, "testdata/acme", startInProcess))
}
