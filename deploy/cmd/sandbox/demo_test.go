package main

import (
	"strings"
	"testing"
)

func TestADemonstrationIsCompleteWithAllCompletions(t *testing.T) {
	for _, tt := range []struct {
		name     string
		awaited  map[string]string
		complete bool
		want     string
	}{
		{"with all", map[string]string{}, true,
			"ok 1 types, 2 webhooks, 3 completions: every event has all its completions."},
		{"without one", map[string]string{"id": "shifts-created"}, false,
			"not ok 1 of 4 completions are missing, and none came for 2m0s: shifts-created"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			d := &demo{
				printer: &printer{out: &out}, awaited: tt.awaited,
				rows: map[string]*row{"shifts-created": {webhooks: 2, completions: 3}},
			}
			complete, err := d.end(t.Context())
			if err != nil || complete != tt.complete {
				t.Errorf("complete %v, error %v", complete, err)
			}
			if !strings.Contains(out.String(), "\n"+tt.want+"\n") {
				t.Errorf("it prints no %q:\n%s", tt.want, &out)
			}
		})
	}
}
