package chromium_test

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the screenshots of deploy/console/screens")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	stopAll()
	os.Exit(code)
}
