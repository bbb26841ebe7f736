package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/stream"
)

// startSandbox starts a sandbox with fakes, whose workers ask again at once.
func startSandbox(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Up(t.Context(), sandbox.Config{
		AdminPort: -1, ConsolePort: -1, Getenv: env("NOT_READY_LADDER", "1ms"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestATriggeredWebhookEndsAsItsFixtureSays(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	control := s.ProvidersURL + "/control"
	for promise, test := range map[string]struct {
		args []string
		want []string // resource, outcome, class, "inline" or "elsewhere" or "none"
	}{
		"without a fixture the records come": {[]string{"income.added"},
			[]string{"income succeeded - inline"}},
		"error fails, of the class provider": {[]string{"--fixture", "error"},
			[]string{"paystubs failed provider none"}},
		"error of another type": {[]string{"shifts.added", "--fixture", "error"},
			[]string{"shifts failed provider none"}},
		"pending is pending": {[]string{"identity.added", "--fixture", "pending"},
			[]string{"identity pending - none"}},
		"forbidden is unavailable": {[]string{"--fixture", "forbidden"},
			[]string{"employment unavailable forbidden none"}},
		"forbidden of a person": {
			[]string{"verification_reports.refreshed", "--fixture", "forbidden"},
			[]string{"verification_reports unavailable forbidden none"}},
		"large has its records elsewhere": {[]string{"--fixture", "large"},
			[]string{"income succeeded - inline", "paystubs succeeded - elsewhere"}},
		"deleted is deleted": {[]string{"--fixture", "deleted"},
			[]string{"link deleted - none"}},
		"a type of Truv": {[]string{"link-disconnected"}, []string{"link disconnected - inline"}},
	} {
		t.Run(promise, func(t *testing.T) {
			tail, err := stream.NewOperator(s.Conn).Tail(t.Context(), "", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			defer tail.Close()
			ran := wagewire(t, env(), append([]string{"trigger", "--control", control},
				test.args...)...)
			if ran.code != 0 {
				t.Fatalf("got %+v", ran)
			}
			contains(t, ran.stderr, "wagewire listen", "wagewire trace")
			var got []string
			for len(got) < len(test.want) {
				c, err := tail.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				about := " account="
				if c.Data.Event.Type == "verification_reports.refreshed" {
					about = " end_user="
				}
				contains(t, ran.stdout, c.Data.Event.Type+about, " 200 id="+c.Data.Event.ID)
				if c.Data.Event.Type != beforeDeleted {
					got = append(got, endOf(c))
				}
			}
			slices.Sort(got) // completions of two workers come in any order
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("completions (-want +got):\n%s", diff)
			}
		})
	}
}

// beforeDeleted is the type of the webhook before a deletion. Its completion does not come if the
// deletion is faster than the worker.
const beforeDeleted = "link-connected"

// endOf is what a fixture decides about a completion.
func endOf(c schema.Completion) string {
	class := "-"
	if c.Data.Error != nil {
		class = c.Data.Error.Class
	}
	records := "none"
	switch {
	case c.Data.RecordsRef != nil:
		records = "elsewhere"
	case len(c.Data.Records) > 0:
		records = "inline"
	}
	return strings.Join([]string{
		string(c.Data.Resource), string(c.Data.Outcome), class, records,
	}, " ")
}

// startFakes starts fake providers that send to the receiver.
func startFakes(t *testing.T, r *receiver) (control string) {
	t.Helper()
	fakes := fake.New(fake.Config{WebhookURL: r.hooks()})
	server := httptest.NewServer(fakes)
	t.Cleanup(server.Close)
	t.Cleanup(fakes.Close)
	return server.URL + "/control"
}

func TestTheFakesSendWhatTheCommandLineSays(t *testing.T) {
	for promise, test := range map[string]struct {
		args []string
		sent int
		want map[string]string
	}{
		"an id": {[]string{"income.added", "--id", "my-id"}, 1, map[string]string{
			"event_id": "my-id", "event": "income.added", "payload.outcome": "success"}},
		"an account": {[]string{"link-connected", "--account", "LINK"}, 1,
			map[string]string{"link_id": "LINK"}},
		"an account of an end user": {[]string{"income.added", "--account", "user/1"}, 1,
			map[string]string{"payload.end_user_id": "user/1"}},
		"an end user": {[]string{"shifts.added", "--end-user", "u 1"}, 1,
			map[string]string{"payload.end_user_id": "u 1"}},
		"a known account is deleted and not linked": {
			[]string{"--fixture", "deleted", "--account", "LINK"}, 1,
			map[string]string{"link_id": "LINK", "event_type": "link-deleted"}},
		"a task that failed": {[]string{"--fixture", "failed"}, 1,
			map[string]string{"event_type": "task-status-updated", "status": "login_error"}},
		"the same webhook many times": {[]string{"income.added", "--times", "3"}, 3, nil},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			control := startFakes(t, r)
			link := makePerson(t, control, "user/1")
			args := []string{"trigger", "--control", control}
			for _, arg := range test.args {
				args = append(args, strings.ReplaceAll(arg, "LINK", link))
			}
			if got := wagewire(t, env(), args...); got.code != 0 {
				t.Fatalf("got %+v", got)
			}
			if n := len(r.took()); n != test.sent {
				t.Fatalf("sent %d times, want %d", n, test.sent)
			}
			for path, want := range test.want {
				want = strings.ReplaceAll(want, "LINK", link)
				if got := at(t, r.took()[0].body, path); got != want {
					t.Errorf("%s is %q, want %q", path, got, want)
				}
			}
		})
	}
}

// makePerson lets the fakes make a person with an end user, and returns the person's link.
func makePerson(t *testing.T, control, endUser string) (link string) {
	t.Helper()
	var person struct {
		Link string `json:"link_id"`
	}
	order := map[string]string{"end_user_id": endUser}
	if err := (fakeControl{url: control}).post(t.Context(), "people", order, &person); err != nil {
		t.Fatal(err)
	}
	return person.Link
}

func TestAnAccountThatTheFakesDoNotKnowIsRefused(t *testing.T) {
	for promise, args := range map[string][]string{
		"of a worker that would wait for the data": {"income.added", "--account", "nope"},
		"of a deletion":      {"link-deleted", "--account", "nope"},
		"of a fixture":       {"--fixture", "error", "--account", "nope"},
		"that is many words": {"income.added", "--account", "a/../b c"},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			control := startFakes(t, r)
			got := wagewire(t, env(), append([]string{"trigger", "--control", control}, args...)...)
			if got.code != 1 || got.stdout != "" || len(r.took()) != 0 {
				t.Errorf("got %+v and %d webhooks, want exit code 1 and none", got, len(r.took()))
			}
			contains(t, got.stderr, "the fakes know no account ", plain.Word(args[len(args)-1]),
				"leave --account out for a new one", "curl "+control+"/people")
		})
	}
}

func TestEachCopyOfAWebhookHasALine(t *testing.T) {
	ingress := httptest.NewServer(duplicates(t))
	t.Cleanup(ingress.Close)
	fakes := fake.New(fake.Config{WebhookURL: ingress.URL + "/webhooks"})
	t.Cleanup(fakes.Close)
	server := httptest.NewServer(fakes)
	t.Cleanup(server.Close)
	got := wagewire(t, env(), "trigger", "income.added", "--times", "3", "--control",
		server.URL+"/control")
	lines := strings.SplitAfter(strings.TrimSpace(got.stdout), "\n")
	if got.code != 0 || len(lines) != 3 {
		t.Fatalf("got %+v, want three lines", got)
	}
	contains(t, lines[0], "income.added account=", " 200 id=e-1 duplicate=false took=")
	contains(t, lines[1], "income.added account=", " 200 id=e-1 duplicate=true took=")
	contains(t, lines[2], "income.added account=", " 200 id=e-1 duplicate=true took=")
}

// duplicates answers as ingress does: all webhooks but the first are duplicates.
func duplicates(t *testing.T) http.HandlerFunc {
	t.Helper()
	var received atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		isDuplicate := received.Add(1) > 1
		_, err := fmt.Fprintf(w, `{"id":"e-1","duplicate":%t}`, isDuplicate)
		if err != nil {
			t.Error(err)
		}
	}
}

func TestATypeThatNobodyCompletesIsSaidToHaveNoCompletion(t *testing.T) {
	r := newReceiver(t, 200, stored)
	got := wagewire(t, env(), "trigger", "order-created", "--control", startFakes(t, r))
	want := "no completion comes: Wagewire only stores order-created\n"
	if got.code != 0 || got.stderr != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

func TestAnUnstoredTriggerExits1AndSaysWhy(t *testing.T) {
	gone := newReceiver(t, 200, stored)
	gone.Close()
	for promise, test := range map[string]struct {
		ingress *receiver
		want    string
	}{
		"refused": {newReceiver(t, 401, `{"error":"unauthorized"}`),
			"not stored: ingress does not know the secret, or a clock is wrong"},
		"not answered": {gone, "ingress does not answer the fake providers: "},
		"answered by somebody else": {newReceiver(t, 200, "welcome"),
			"not stored: the answer is not from ingress"},
	} {
		t.Run(promise, func(t *testing.T) {
			control := startFakes(t, test.ingress)
			got := wagewire(t, env(), "trigger", "income.added", "--control", control)
			if got.code != 1 || !strings.Contains(got.stderr, test.want) ||
				strings.Contains(got.stderr, "next:") {
				t.Errorf("got %+v, want exit code 1 and %q", got, test.want)
			}
		})
	}
}

func TestASampleIsTriggeredWithoutFakes(t *testing.T) {
	published := fake.Secret("pinwheel")
	for promise, test := range map[string]struct {
		getenv func(string) string
		args   []string
		secret string
		want   map[string]string
	}{
		"with the secret of the sandbox": {env(), []string{"income.added"}, published,
			map[string]string{"event": "income.added", "payload.outcome": "success"}},
		"with the secret of the provider's variable": {secrets(t), []string{"income.added"},
			pinwheelSecret, nil},
		"with a secret of the command line": {env(), []string{"income.added", "--secret-file",
			fileOf(t, "pinwheel.secret", pinwheelSecret)}, pinwheelSecret, nil},
		"of a job that failed": {env(), []string{"--fixture", "error"}, published,
			map[string]string{"event": "paystubs.added", "payload.outcome": "error",
				"payload.error_code": "systemError"}},
		"of a job that still runs": {env(), []string{"income.added", "--fixture", "pending"},
			published, map[string]string{"payload.outcome": "pending"}},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			began := time.Now()
			args := append([]string{"trigger", "--url", r.hooks()}, test.args...)
			if got := wagewire(t, test.getenv, args...); got.code != 0 || len(r.took()) != 1 {
				t.Fatalf("got %+v and %d requests, want one", got, len(r.took()))
			}
			sent := r.took()[0]
			checkSigned(t, schema.Pinwheel, sent, test.secret, began)
			for path, want := range test.want {
				if got := at(t, sent.body, path); got != want {
					t.Errorf("%s is %q, want %q", path, got, want)
				}
			}
		})
	}
}

func TestTheLineOfASampleHasTheTypeAndTheAccount(t *testing.T) {
	for promise, test := range map[string]struct {
		args []string
		want string
	}{
		"an account": {[]string{"income.added", "--account", "a-1"},
			"income.added account=a-1 200 id="},
		"an end user": {[]string{"verification_reports.refreshed", "--end-user", "u-1"},
			"verification_reports.refreshed end_user=u-1 200 id="},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			got := wagewire(t, env(), append([]string{"trigger", "--url", r.hooks()},
				test.args...)...)
			if got.code != 0 || !strings.HasPrefix(got.stdout, test.want) {
				t.Errorf("got %+v, want %q", got, test.want)
			}
		})
	}
}

func TestAnAddressWithoutThePathOfIngressIsNamed(t *testing.T) {
	r := newReceiver(t, 404, `{"error":"not found"}`)
	got := wagewire(t, env(), "trigger", "income.added", "--url", r.URL)
	want := "1 of 1 not stored: " + r.URL + "/pinwheel has no path /webhooks: see --url"
	if got.code != 1 || !strings.Contains(got.stderr, want) {
		t.Errorf("got %+v, want exit code 1 and %q", got, want)
	}
}

func TestTheSecretOfTheSandboxSignsForNoOtherMachine(t *testing.T) {
	for address, isHere := range map[string]bool{
		"http://127.0.0.1:8080/webhooks":        true,
		"http://127.8.8.8/webhooks":             true,
		"http://[::1]:8080/webhooks":            true,
		"http://localhost:8080/webhooks":        true,
		"http://LocalHost.:8080/webhooks":       true,
		"http://ingress.localhost/webhooks":     true,
		"http://[::ffff:127.0.0.1]/webhooks":    true,
		"http://ingress:8080/webhooks":          false,
		"http://10.0.0.1/webhooks":              false,
		"http://0.0.0.0:8080/webhooks":          false,
		"https://hooks.example.com/webhooks":    false,
		"https://127.0.0.1.example.com/":        false,
		"https://localhost.example.com/":        false,
		"https://127.0.0.1@hooks.example.com/":  false,
		"https://hooks.example.com/?127.0.0.1":  false,
		"https://hooks.example.com/#@127.0.0.1": false,
	} {
		t.Run(address, func(t *testing.T) {
			o := triggerOptions{sendOptions: sendOptions{url: address}}
			secret, err := o.secret("pinwheel", env())
			if isHere && secret.Reveal() != fake.Secret("pinwheel") {
				t.Errorf("error %v, and not the secret of the sandbox", err)
			}
			if !isHere && (err == nil || secret.Reveal() != "" ||
				!strings.Contains(err.Error(), "no secret to sign with")) {
				t.Errorf("error %v, want that there is no secret", err)
			}
		})
	}
}

func TestAControlAddressThatIsNoneIsOneClearLine(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for promise, test := range map[string]struct {
		control, want string
	}{
		"nobody there": {gone.URL, "no fake providers at " + gone.URL + ": dial tcp"},
		"nothing there": {newReceiver(t, 404, "404 page not found").URL,
			"/people answers 404: see --control: the address ends with /control, as "},
		"nothing there, and the path is not at fault": {
			newReceiver(t, 404, "404 page not found").URL + "/control/",
			"/control/people answers 404: see --control\n"},
		"somebody else": {newReceiver(t, 200, "<html>welcome</html>").URL,
			"/people is not of the fake providers: "},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env(), "trigger", "income.added", "--control", test.control)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, test.want) ||
				strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got %+v, want exit code 1 and %q", got, test.want)
			}
		})
	}
}

func TestTheListHasTheFixturesOfEachType(t *testing.T) {
	got := wagewire(t, env(), "trigger", "--list")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if want := len(schema.Catalogue()) + 1; got.code != 0 || len(lines) != want {
		t.Fatalf("got %d lines and exit code %d, want %d", len(lines), got.code, want)
	}
	for name, want := range map[string]string{
		"paystubs.fully_synced ":         "error, pending, forbidden, large",
		"verification_reports.refreshed": "  forbidden",
		"documents.added ":               "error, pending",
		"link-deleted":                   "deleted",
		"task-status-updated":            "failed, forbidden",
		"shifts-created":                 "late, forbidden",
		"statements-updated":             "late, forbidden",
		"employment-created":             "  forbidden",
		"order-created":                  "-",
	} {
		for _, line := range lines {
			if strings.HasPrefix(line, name) && !strings.HasSuffix(line, want) {
				t.Errorf("line %q, want %q at its end", line, want)
			}
		}
		contains(t, got.stdout, "\n"+name)
	}
}

func TestAnAccountThatIsDeletedIsLinkedBefore(t *testing.T) {
	r := newReceiver(t, 200, stored)
	control := startFakes(t, r)
	// The call of a worker, without which the command waits for the worker.
	ctx, cancel := context.WithCancel(t.Context())
	var called sync.WaitGroup
	called.Go(func() {
		for ctx.Err() == nil {
			response, err := http.Get(strings.TrimSuffix(control, "/control") + "/truv/v1/links/x/")
			if err == nil {
				_ = response.Body.Close()
			}
		}
	})
	got := wagewire(t, env(), "trigger", "--fixture", "deleted", "--control", control)
	cancel()
	called.Wait()
	if got.code != 0 || len(r.took()) != 2 {
		t.Fatalf("got %+v and %d webhooks, want two", got, len(r.took()))
	}
	var types, links []string
	for _, sent := range r.took() {
		types = append(types, at(t, sent.body, "event_type"))
		links = append(links, at(t, sent.body, "link_id"))
	}
	if types[0] != beforeDeleted || types[1] != "link-deleted" || links[0] != links[1] {
		t.Errorf("sent %v about %v", types, links)
	}
}

func TestALateWebhookAnnouncesMoreThanThereIs(t *testing.T) {
	for _, typeName := range []string{"shifts-created", "statements-updated", "bank-accounts-created"} {
		r := newReceiver(t, 200, stored)
		got := wagewire(t, env(), "trigger", typeName, "--fixture", "late", "--control",
			startFakes(t, r))
		if got.code != 0 || len(r.took()) != 1 {
			t.Fatalf("%s: got %+v and %d webhooks, want one", typeName, got, len(r.took()))
		}
		contains(t, got.stderr, "note: the worker asks again")
		var sent struct {
			Type  string `json:"event_type"`
			Count int    `json:"objects_count"`
		}
		if err := json.Unmarshal(r.took()[0].body, &sent); err != nil || sent.Type != typeName ||
			sent.Count != objectsTooMany {
			t.Errorf("sent %+v, %v, want %s of %d", sent, err, typeName, objectsTooMany)
		}
	}
}

func TestAFileIsPlayedByTheFakes(t *testing.T) {
	body, ok := jsonschema.Sample("truv", "link-connected")
	if !ok {
		t.Fatal("there is no sample")
	}
	link := at(t, body, "link_id")
	recorded := `{"version":"` + fake.FixtureVersion + `","provider":"truv",` +
		`"type":"link-connected","account":"` + link + `","webhook":` + string(body) +
		`,"calls":[{"path":"/v1/links/` + link + `/","status":404,"body":{"detail":"Not Found."}}]}`
	for promise, test := range map[string]struct {
		text, stderr string
		code         int
	}{
		"as recorded": {recorded, "next: wagewire listen", 0},
		"unless it is of another version": {strings.Replace(recorded, ".v1", ".v0", 1),
			"/fixtures answers 400: ", 1},
		"unless it is not JSON": {"{", "--fixture: ", 1},
	} {
		t.Run(promise, func(t *testing.T) {
			r := newReceiver(t, 200, stored)
			got := wagewire(t, env(), "trigger", "--control", startFakes(t, r), "--fixture",
				fileOf(t, "recorded.fixture.json", test.text))
			if got.code != test.code || !strings.Contains(got.stderr, test.stderr) {
				t.Fatalf("got %+v, want exit code %d and %q", got, test.code, test.stderr)
			}
			if test.code != 0 {
				if len(r.took()) != 0 {
					t.Error("a webhook is sent")
				}
				return
			}
			contains(t, got.stdout, "link-connected account="+link+" 200 id=")
			if sent := at(t, r.took()[0].body, "link_id"); sent != link {
				t.Errorf("the webhook is about %s", sent)
			}
		})
	}
}
