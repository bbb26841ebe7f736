package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCerts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	// The day may change between the command and the check.
	before := time.Now().UTC().AddDate(0, 0, 30).Format(time.DateOnly)
	got := wagewire(t, env(), "certs", dir, "--days", "30", "--host", "broker.example")
	after := time.Now().UTC().AddDate(0, 0, 30).Format(time.DateOnly)
	wrote := "wrote " + filepath.Join(dir, "nats_node.pem") + ": valid until "
	if got.code != 0 || got.stderr != "" ||
		!strings.HasPrefix(got.stdout, wrote+before) &&
			!strings.HasPrefix(got.stdout, wrote+after) ||
		!strings.Contains(got.stdout, "NATS_CA_FILE") {
		t.Errorf("got %+v", got)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Errorf("the directory has %v, %v", files, err)
	}
	for _, row := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"certs", dir}, 1, "exists already, and is not overwritten"},
		{[]string{"certs"}, 2, "give one directory"},
		{[]string{"certs", dir, "--days", "0"}, 2, "--days: 0 is less than a day"},
	} {
		if got := wagewire(t, env(), row.args...); got.code != row.code ||
			!strings.Contains(got.stderr, row.want) {
			t.Errorf("%v: got %+v, want %q", row.args, got, row.want)
		}
	}
}
