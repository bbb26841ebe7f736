package main

import (
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy"
	"github.com/wagewire/wagewire/deploy/glossary"
)

func TestExplainPrintsWhatToDo(t *testing.T) {
	for _, topic := range deploy.Topics() {
		for _, name := range []string{topic.Name, topic.Alert()} {
			t.Run(name, func(t *testing.T) {
				got := wagewire(t, env("NATS_URL", nowhere), "explain", name)
				if diff := diffResults(result{stdout: topic.Section()}, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				contains(t, got.stdout, "## "+topic.Name+"\n", "**What to do**")
			})
		}
	}
}

func TestExplainSaysWhatAWordMeans(t *testing.T) {
	for name, want := range map[string]string{
		"incomplete": "incomplete (status of an account): all awaited resources are final, and " +
			"some are not good\n" +
			"next: wagewire find ACCOUNT shows the state and what completed or failed\n",
		"not_ready": "not_ready (class of a failure): the provider does not have the data yet\n" +
			"next: wagewire trace EVENT shows the way of one event\n",
		"unavailable": "unavailable (outcome of a completion): the provider does not have the data",
	} {
		got := wagewire(t, env("NATS_URL", nowhere), "explain", name)
		if got.code != 0 || !strings.HasPrefix(got.stdout, want) {
			t.Errorf("%s: got %+v, want %q", name, got, want)
		}
	}
	for _, w := range glossary.Words() {
		got := wagewire(t, env("NATS_URL", nowhere), "explain", w.Name)
		contains(t, got.stdout, "("+string(w.Kind)+"): "+w.Means+"\n")
	}
}

func TestExplainListsEveryName(t *testing.T) {
	got := wagewire(t, env("NATS_URL", nowhere), "explain")
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	if len(lines) != len(deploy.Topics()) || got.code != 0 {
		t.Fatalf("exit %d, %d lines:\n%s", got.code, len(lines), got.stdout)
	}
	for i, topic := range deploy.Topics() {
		fields := strings.Fields(lines[i])
		if fields[0] != string(topic.Severity) || fields[1] != topic.Name {
			t.Errorf("line %d is %q, want %s %s", i+1, lines[i], topic.Severity, topic.Name)
		}
		contains(t, lines[i], topic.Means)
	}
}

func TestExplainRefusesAWrongName(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"a finding with a wrong letter": {
			[]string{"dead-leters"}, "did you mean dead-letters?",
		},
		"an alert with a wrong letter": {
			[]string{"WagewireBrokerAwai"}, "did you mean WagewireBrokerAway?",
		},
		"a word that is near to none": {
			[]string{"everything"}, `"everything" is no finding and no alert: see wagewire explain`,
		},
		"two names": {[]string{"dead-letters", "quarantined"}, "give one name, or none"},
	} {
		t.Run(name, func(t *testing.T) {
			got := wagewire(t, env(), append([]string{"explain"}, row.args...)...)
			if got.code != 2 || got.stdout != "" {
				t.Errorf("exit %d, printed %q", got.code, got.stdout)
			}
			contains(t, got.stderr, row.want)
		})
	}
}
