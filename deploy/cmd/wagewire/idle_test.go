package main

import (
	"context"
	"testing"
)

func TestAnIdleCommandEndsWell(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	code := execute(interrupted, []string{"idle"}, terminal{stdout: t.Output(), stderr: t.Output()})
	if code != 0 {
		t.Errorf("the exit code is %d", code)
	}
}
