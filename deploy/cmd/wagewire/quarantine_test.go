package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

func TestAReleasedWebhookGoesThroughTheLine(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.quarantine(schema.Pinwheel, schema.QuarantineSchema, e.Body)
	contains(t, b.runs(0, "quarantine", "show", "1").stdout, "reads     yes: it can be released\n")
	dry := b.runs(0, "quarantine", "release", "1", "--dry-run")
	contains(t, dry.stdout, "1  would be released as pinwheel:e-1, income.added\n")
	if keys := b.keys(); len(keys) > 0 {
		t.Errorf("a dry run sent %v", keys)
	}
	got := b.runs(0, "quarantine", "release", "1", "--yes")
	contains(t, got.stdout, "1  released as pinwheel:e-1, income.added\n")
	contains(t, got.stderr, "released 1 of 1 webhook\n")
	m, there, err := b.conn.Message(t.Context(), schema.EventsStream, 1)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	stored, err := stream.DecodeEvent(m)
	if diff := cmp.Diff(e, stored); diff != "" || err != nil {
		t.Errorf("the event is not what ingress would have stored: %v (-want +got):\n%s", err, diff)
	}
	b.work(nil, schema.Income)
	b.completed("pinwheel:e-1:income")
	contains(t, b.runs(1, "quarantine", "show", "1").stderr,
		"there is no webhook 1 in quarantine")
}

func TestTheSecondBodyOfAnIDHasACompletionOfItsOwn(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.publish(e)
	b.quarantine(schema.Pinwheel, schema.QuarantineIDConflict, another(e).Body)
	b.quarantine(schema.Pinwheel, schema.QuarantineIDConflict, another(another(e)).Body)
	contains(t, b.runs(0, "quarantine", "release", "1", "--dry-run").stdout,
		"would be released as pinwheel:e-1:r1, income.added: another body has its id")
	got := b.runs(0, "quarantine", "release", "--reason", "id_conflict", "--yes")
	contains(t, got.stdout, "1  released as pinwheel:e-1:r1, ", "2  released as pinwheel:e-1:r2, ")
	b.work(nil, schema.Income)
	for _, redrive := range []string{"", ":r1", ":r2"} {
		b.completed("pinwheel:e-1" + redrive + ":income")
	}
}

func TestTheSecondBodyOfAnIDMayBeOfAnotherAccount(t *testing.T) {
	const others = 300 // more than scansPerAccount
	for promise, test := range map[string]struct {
		before func(*bench, schema.Event)
		want   []string
	}{
		"the first event is there, and the broker has forgotten its id": {
			(*bench).publishLongAgo, []string{"pinwheel:e-1", "pinwheel:e-1:r1", "pinwheel:e-1:r2"},
		},
		"the first event is gone, and its completion is there": {
			func(b *bench, first schema.Event) {
				_, err := b.conn.PublishCompletion(b.Context(), first,
					schema.NewCompletion(first, schema.Income, schema.Succeeded, receivedAt))
				b.must(err)
			}, []string{"pinwheel:e-1:r1", "pinwheel:e-1:r2"},
		},
		"the first event and its redrive are gone, and their completions are there": {
			func(b *bench, first schema.Event) {
				for first.Redrive = range 2 {
					_, err := b.conn.PublishCompletion(b.Context(), first,
						schema.NewCompletion(first, schema.Income, schema.Succeeded, receivedAt))
					b.must(err)
				}
			}, []string{"pinwheel:e-1:r2", "pinwheel:e-1:r3"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			test.before(b, b.event("income.added", "e-1", "a-1"))
			for n := range others {
				b.publish(b.event("income.added", fmt.Sprintf("other-%d", n), "a-3"))
			}
			second := b.event("income.added", "e-1", "a-2")
			b.quarantine(schema.Pinwheel, schema.QuarantineIDConflict, second.Body)
			b.quarantine(schema.Pinwheel, schema.QuarantineIDConflict, another(second).Body)
			got := b.runs(0, "quarantine", "release", "--reason", "id_conflict", "--yes")
			numbers := test.want[len(test.want)-2:]
			contains(t, got.stdout,
				"1  released as "+numbers[0]+", income.added: another body has its id\n",
				"2  released as "+numbers[1]+", income.added: another body has its id\n")
			keys := slices.DeleteFunc(b.keys(), func(key string) bool {
				return strings.HasPrefix(key, "pinwheel:other-")
			})
			if diff := cmp.Diff(test.want, keys); diff != "" {
				t.Errorf("events with the id (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStaleWebhooksAreReleasedAsTheyAre(t *testing.T) {
	b := newBench(t)
	first := b.event("income.added", "e-1", "a-1")
	second := b.event("income.added", "e-2", "a-1")
	b.quarantine(schema.Pinwheel, schema.QuarantineStale, first.Body)
	b.quarantine(schema.Pinwheel, schema.QuarantineJSON, []byte("{"))
	b.quarantine(schema.Pinwheel, schema.QuarantineStale, second.Body)
	listed := b.runs(0, "quarantine", "list", "--reason", "stale").stdout
	contains(t, listed, "1       2024-05-06T07:08:09Z  pinwheel  stale   ", "3       2024")
	contains(t, b.runs(0, "quarantine", "show", "1").stdout,
		"reason    stale\n", "reads     yes: it can be released\n")
	got := b.runs(0, "quarantine", "release", "--reason", "stale", "--yes")
	contains(t, got.stdout, "1  released as pinwheel:e-1, ", "3  released as pinwheel:e-2, ")
	contains(t, got.stderr, "released 2 of 2 webhooks\n")
	if diff := cmp.Diff([]string{"pinwheel:e-1", "pinwheel:e-2"}, b.keys()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	b.work(nil, schema.Income)
	b.completed("pinwheel:e-1:income")
	b.completed("pinwheel:e-2:income")
}

func TestAnEncodedWebhookStaysUnlessItsBytesCanBeRead(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	b.quarantine(schema.Pinwheel, schema.QuarantineEncoding, []byte("\x1f\x8b\x08\xff"))
	b.quarantine(schema.Pinwheel, schema.QuarantineEncoding, e.Body)
	got := b.runs(1, "quarantine", "release", "--all", "--yes")
	contains(t, got.stdout, "1  kept: it still cannot be read (utf8): ",
		"2  released as pinwheel:e-1, income.added\n")
}

func TestTheLargestWebhookIsShownReleasedAndTraced(t *testing.T) {
	b := newBench(t)
	e := b.event("income.added", "e-1", "a-1")
	e.Body = append(e.Body, strings.Repeat(" ", ingress.BodyBytesMax-len(e.Body))...)
	b.quarantine(schema.Pinwheel, schema.QuarantineStale, e.Body)
	shown := b.runs(0, "quarantine", "show", "1", "--body").stdout
	contains(t, shown, "body      917504 bytes\n", `"event_id": "e-1"`)
	b.runs(0, "quarantine", "release", "1", "--yes")
	b.work(nil, schema.Income)
	b.completed("pinwheel:e-1:income")
	b.runs(0, "replay", "--queue", "pinwheel_income", "--since", "all", "--yes")
	b.completed("pinwheel:e-1:r1:income")
	contains(t, b.runs(0, "trace", "e-1").stdout, "pinwheel:e-1:r1")
}

func TestAReleaseIsSafeToRepeat(t *testing.T) {
	for promise, test := range map[string]struct {
		before func(*bench, schema.Event)
		want   []string
		says   string
	}{
		"after a crash before the deletion": {
			func(b *bench, e schema.Event) {
				b.publish(e)
			}, []string{"pinwheel:e-1"}, "is stored as pinwheel:e-1 already",
		},
		"the same, of a second body": {
			func(b *bench, e schema.Event) {
				b.publish(another(e))
				_, err := b.conn.Redrive(b.Context(), e, "", 1)
				b.must(err)
			}, []string{"pinwheel:e-1", "pinwheel:e-1:r1"}, "is stored as pinwheel:e-1:r1 already",
		},
		"where the first body is gone, and its completion is not": {
			func(b *bench, e schema.Event) {
				first := another(e)
				_, err := b.conn.PublishCompletion(b.Context(), first,
					schema.NewCompletion(first, schema.Income, schema.Succeeded, receivedAt))
				b.must(err)
			}, []string{"pinwheel:e-1:r1"}, "released as pinwheel:e-1:r1",
		},
		"where the first body is gone, and the broker remembers its id": {
			func(b *bench, e schema.Event) {
				first := b.event("income.added", "e-1", "a-other")
				b.publish(first)
				b.must(b.conn.EraseEvents(b.Context(), first.Provider, first.Account()))
			}, []string{"pinwheel:e-1"}, "released as pinwheel:e-1, ",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			b := newBench(t)
			e := b.event("income.added", "e-1", "a-1")
			test.before(b, e)
			b.quarantine(schema.Pinwheel, schema.QuarantineIDConflict, e.Body)
			contains(t, b.runs(0, "quarantine", "release", "1", "--yes").stdout, test.says)
			if diff := cmp.Diff(test.want, b.keys()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got := b.runs(0, "quarantine", "list"); got.stdout != "" ||
				!strings.Contains(got.stderr, "there is no such webhook") {
				t.Errorf("it is still there: %+v", got)
			}
		})
	}
}

func TestWhatCannotBeReleasedStaysAndSaysWhy(t *testing.T) {
	b := newBench(t)
	erased := b.event("income.added", "e-1", "a-1")
	b.erase(erased)
	b.quarantine(schema.Pinwheel, schema.QuarantineJSON, []byte("{\"secret\x1b"))
	b.quarantine(schema.Truv, schema.QuarantineDuplicateKey,
		[]byte(`{"webhook_id":"a","webhook_id":"b"}`))
	b.quarantine(schema.Pinwheel, schema.QuarantineSchema, erased.Body)
	got := b.runs(1, "quarantine", "release", "--all", "--yes")
	contains(t, got.stdout, "1  kept: it still cannot be read (json): ",
		"2  kept: it still cannot be read (duplicate_key): ", "3  kept: its account is erased: discard it\n")
	contains(t, got.stderr, "released 0 of 3 webhooks\n",
		"wagewire quarantine release: 3 webhooks could not be released\n")
	if strings.Contains(got.stdout, "secret") || len(b.keys()) > 0 {
		t.Errorf("it tells or sends what it cannot read:\n%s%v", got.stdout, b.keys())
	}
	want := `NUMBER  RECEIVED              PROVIDER  REASON         BYTES
1       2024-05-06T07:08:09Z  pinwheel  json           9
2       2024-05-06T07:08:09Z  truv      duplicate_key  35
`
	if list := b.runs(0, "quarantine", "list"); !strings.HasPrefix(list.stdout, want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, list.stdout))
	}
	show := b.runs(0, "quarantine", "show", "1")
	contains(t, show.stdout, "reads     no: ")
	if strings.Contains(show.stdout, "secret") {
		t.Errorf("it shows the body:\n%s", show.stdout)
	}
	body := b.runs(0, "quarantine", "show", "1", "--body").stdout
	if !strings.HasSuffix(body, "\n\n{\"secret\x1b") {
		t.Errorf("the body is not as it was received: %q", body)
	}
	var u unreadJSON
	b.must(json.Unmarshal([]byte(b.runs(0, "quarantine", "show", "1", "--body", "--json").stdout),
		&u))
	if string(u.Body) != "{\"secret\x1b" || u.Number != 1 || u.Reason != schema.QuarantineJSON {
		t.Errorf("got %+v", u)
	}
	lines := b.runs(0, "quarantine", "list", "--json", "--provider", "truv").stdout
	if strings.Count(lines, "\n") != 1 || !strings.Contains(lines, `"number":2`) {
		t.Errorf("got %s", lines)
	}
	dry := b.runs(0, "quarantine", "discard", "--provider", "truv", "--dry-run")
	contains(t, dry.stderr, "would discard 1 webhook\n")
	b.runs(0, "quarantine", "discard", "--provider", "truv", "--yes")
	if left := b.runs(0, "quarantine", "list").stdout; strings.Contains(left, "truv") ||
		strings.Count(left, "\n") != 3 {
		t.Errorf("left:\n%s", left)
	}
}
