package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

func TestTheStreamsOfTheLineStandOnDifferentServers(t *testing.T) {
	apart := placements[len(placements)-1]
	got := map[int]bool{
		apart.serverOf(schema.EventsStream):      true,
		apart.serverOf(schema.CompletionsStream): true,
		apart.serverOf(schema.AccountsStream):    true,
	}
	want := map[int]bool{0: true, 1: true, 2: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}

func TestTheTableOfBrokersHasTheBusiestServer(t *testing.T) {
	one := work{n: 1000, took: time.Second, servers: []time.Duration{300 * time.Millisecond}}
	three := work{n: 500, took: time.Second, servers: []time.Duration{
		50 * time.Millisecond, 100 * time.Millisecond, 0,
	}}
	var text strings.Builder
	reportBrokers(&text, "completions", []arranged{
		{arrangement{name: "one server"}, []work{one}},
		{arrangement{name: "three servers"}, []work{three}},
	})
	const want = "\n| completions | a second | ratio | processor time of all servers, µs for one | " +
		"of the busiest server |\n" +
		"| --- | ---: | ---: | ---: | ---: |\n" +
		"| one server | 1000 | 1.00 (1.00 – 1.00) | 300 | 300 |\n" +
		"| three servers | 500 | 0.50 (0.50 – 0.50) | 300 | 200 |\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
