package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/doctor"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// verdicts has "verdict of name" of each check.
func verdicts(t *testing.T, got result) []string {
	t.Helper()
	var all struct {
		Bad    int
		Checks []doctor.Check
	}
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	var lines []string
	bad := 0
	for _, c := range all.Checks {
		lines = append(lines, string(c.Verdict)+" "+strings.TrimSpace(c.Of+" "+c.Name))
		if c.Verdict != doctor.Bad {
			continue
		}
		bad++
		if c.Next == "" {
			t.Errorf("%s is BAD without a next step", c.Name)
		}
	}
	if bad != all.Bad {
		t.Errorf("%d checks are BAD, and bad is %d", bad, all.Bad)
	}
	return lines
}

func TestADoctorFindsAHealthyInstallationOK(t *testing.T) {
	w := newWard(t)
	// The fakes tell the time of the machine: they are not asked for their own.
	w.registered()
	want := []string{
		"ok broker", "ok broker key", "ok broker streams", "ok broker clock",
	}
	for _, p := range []string{"pinwheel", "truv"} {
		variable := "secrets PINWHEEL_SECRETS_FILE"
		calling := "secrets PINWHEEL_API_SECRET_FILE"
		if p == "truv" {
			variable = "secrets TRUV_SECRETS_FILE"
			calling = "secrets TRUV_ACCESS_SECRET_FILE"
		}
		for _, name := range []string{
			variable, calling, "credentials", "clock", "registration", "address",
		} {
			want = append(want, "ok "+p+" "+name)
		}
	}
	if diff := cmp.Diff(want, verdicts(t, w.does(0, doctorOf("--json")...))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	lines := w.does(0, doctorOf()...).stdout
	contains(t, lines, "ok       broker                                    nats-server 2.",
		"/webhooks/truv is active, with all 14 types\n",
		" is active, with all 22 types that can be enabled: account.removed cannot\n", "/webhooks/truv refuses what is not signed\n",
		"1 secret, changed 0s ago\n")
	if n := strings.Count(lines, "\n"); n != len(want) {
		t.Errorf("%d lines, want %d", n, len(want))
	}
}

func TestADoctorNamesWhatIsBad(t *testing.T) {
	needed, _ := doctor.EventsOf(schema.Pinwheel)
	for _, test := range []struct {
		promise string
		break_  func(w *ward)
		args    []string
		bad     []string
		says    []string
	}{
		{"streams that are missing", func(w *ward) {
			w.must(w.js.DeleteStream(w.Context(), schema.QuarantineStream))
		}, nil, []string{"BAD broker streams"}, []string{
			"1 difference: stream WAGEWIRE_QUARANTINE; next: wagewire provision plan, then",
		}},
		{"no streams at all", func(w *ward) {
			w.must(w.js.DeleteStream(w.Context(), schema.EventsStream))
		}, nil, []string{"BAD broker", "BAD broker streams"}, []string{
			"next: wagewire provision apply\n",
		}},
		{"an empty file of secrets", func(w *ward) { w.secret("TRUV_SECRETS_FILE", "\n") }, nil,
			[]string{"BAD truv secrets TRUV_SECRETS_FILE"}, []string{
				"TRUV_SECRETS_FILE: ", "; next: write the secrets to ",
			}},
		{"a secret that the provider refuses", func(w *ward) {
			w.secret("PINWHEEL_API_SECRET_FILE", "an-old-secret-of-ours")
		}, nil, []string{"BAD pinwheel credentials"}, []string{
			"get /v1/webhooks: status 401", "next: put a valid secret into the file of PINWHEEL_API_SECRET_FILE\n",
			"skipped  pinwheel registration                     the list was not given\n",
		}},
		{"a variable that is not set", func(w *ward) { w.env["TRUV_CLIENT_ID"] = "" }, nil,
			[]string{"BAD truv credentials"}, []string{"TRUV_CLIENT_ID is not set"}},
		{"a provider that has a fault", func(w *ward) {
			_, err := w.fakes.AddFault(fake.Fault{
				Provider: fake.Truv, Path: "webhooks", Status: 403,
			})
			w.must(err)
		}, nil, []string{"BAD truv credentials"}, []string{
			"next: see that TRUV_URL and the secret are of the same environment",
		}},
		{"an address that is not registered", func(w *ward) {
			w.env["WEBHOOK_URL"] = w.address + "/elsewhere"
		}, nil, []string{"BAD pinwheel registration", "BAD truv registration"}, []string{
			"/elsewhere/truv is not registered (1 other URL registered); next: wagewire doctor --fix\n",
		}},
		{"a registration that is paused", func(w *ward) { w.pauseAll() }, nil,
			[]string{"BAD pinwheel registration", "BAD truv registration"},
			[]string{"/webhooks/truv is paused; next: wagewire doctor --fix\n"}},
		{"a registration without all types", func(w *ward) { w.shorten(fake.Pinwheel) }, nil,
			[]string{"BAD pinwheel registration"}, []string{
				"lacks " + strings.Join(needed[1:], ", ") + "; next: ",
			}},
		{"a registration of the release before", func(w *ward) {
			w.keep(fake.Truv, "link-connected", "link-disconnected", "link-deleted")
		}, nil, []string{"BAD truv registration"}, []string{
			"lacks employment-created, employment-updated, profile-created, profile-updated, " +
				"statements-created, statements-updated, shifts-created, shifts-updated, " +
				"bank-accounts-created, bank-accounts-updated, task-status-updated; next: ",
		}},
		{"an ingress that is not ready", func(w *ward) { w.gate.answers(503) }, nil,
			[]string{"BAD pinwheel address", "BAD truv address"},
			[]string{"answers 503; next: see that ingress is ready: /readyz, and its log\n"}},
		{"an address of somebody else", func(w *ward) { w.gate.answers(200) }, nil,
			[]string{"BAD pinwheel address", "BAD truv address"},
			[]string{"answers 200, not 401; next: "}},
		{"an address that redirects", func(w *ward) { w.gate.answers(http.StatusMovedPermanently) },
			nil, []string{"BAD pinwheel address", "BAD truv address"}, []string{"redirects (301)"}},
		{"an address where nobody is", func(w *ward) {}, []string{"--webhook-url", "http://127.0.0.1:1"},
			[]string{
				"BAD pinwheel registration", "BAD pinwheel address",
				"BAD truv registration", "BAD truv address",
			}, []string{"/webhooks/truv does not answer: "}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			w := newWard(t)
			w.registered()
			test.break_(w)
			got := w.does(exitBad, doctorOf(append(test.args, "--json")...)...)
			bad := slices.DeleteFunc(verdicts(t, got), func(line string) bool {
				return !strings.HasPrefix(line, "BAD ")
			})
			if diff := cmp.Diff(test.bad, bad); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			contains(t, w.does(exitBad, doctorOf(test.args...)...).stdout, test.says...)
		})
	}
}

func (w *ward) pauseAll() {
	w.Helper()
	for _, s := range w.fakes.Subscriptions() {
		_, err := w.fakes.ChangeSubscription(s.ID, func(s *fake.Subscription) { s.Paused = true })
		w.must(err)
	}
}

// shorten leaves a registration with its first type.
func (w *ward) shorten(provider string) {
	w.Helper()
	w.change(provider, func(events []string) []string { return events[:1] })
}

// keep leaves a registration only the given types.
func (w *ward) keep(provider string, events ...string) {
	w.Helper()
	w.change(provider, func([]string) []string { return events })
}

func (w *ward) change(provider string, events func([]string) []string) {
	w.Helper()
	for _, s := range w.fakes.Subscriptions() {
		if s.Provider != provider {
			continue
		}
		_, err := w.fakes.ChangeSubscription(s.ID, func(s *fake.Subscription) {
			s.Events = events(s.Events)
		})
		w.must(err)
	}
}

func TestADoctorSkipsWhatItCannotSee(t *testing.T) {
	w := newWard(t)
	for promise, test := range map[string]struct {
		prepare func()
		want    []string
	}{
		"a provider that is not in use": {func() {
			w.env["TRUV_SECRETS_FILE"] = ""
			w.env["TRUV_ACCESS_SECRET_FILE"] = ""
		}, []string{"skipped truv provider"}},
		"our address, if nobody says it": {func() { w.env["WEBHOOK_URL"] = "" }, []string{
			"skipped pinwheel registration", "skipped pinwheel address",
		}},
		"the API without its secret": {func() { w.env["PINWHEEL_API_SECRET_FILE"] = "" }, []string{
			"skipped pinwheel secrets PINWHEEL_API_SECRET_FILE", "skipped pinwheel credentials",
			"skipped pinwheel clock",
		}},
	} {
		test.prepare()
		got := wagewire(t, w.getenv, doctorOf("--json")...)
		lines := verdicts(t, got)
		for _, want := range test.want {
			if !slices.Contains(lines, want) {
				t.Errorf("%s: no %q in %q", promise, want, lines)
			}
		}
	}
}

func TestADoctorWithoutABrokerSaysSo(t *testing.T) {
	w := newWard(t)
	w.server.Stop()
	got := w.does(exitBad, doctorOf("--json", "--wait", "0s")...)
	lines := verdicts(t, got)
	want := []string{
		"BAD broker", "skipped broker key", "skipped broker streams", "skipped broker clock",
	}
	if diff := cmp.Diff(want, lines[:4]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.Contains(lines, "ok truv secrets TRUV_SECRETS_FILE") ||
		!slices.Contains(lines, "skipped truv credentials") ||
		!slices.Contains(lines, "ok truv address") {
		t.Errorf("got %q", lines)
	}
}

func TestADoctorPutsRegistrationsRight(t *testing.T) {
	w := newWard(t)
	const asks = "make 2 changes? [y/N] "
	dry := w.does(exitBad, doctorOf("--fix", "--dry-run")...)
	contains(t, dry.stderr, "to register "+w.address+"/pinwheel at Pinwheel, for 22 types\n",
		"to register "+w.address+"/truv at Truv, for 14 types\n")
	if n := len(w.fakes.Subscriptions()); n != 0 {
		t.Fatalf("a dry run registers %d times", n)
	}
	var stdout, stderr strings.Builder
	declined := terminal{
		getenv: w.getenv, stdin: strings.NewReader("n\n"), canAnswer: true,
		stdout: &stdout, stderr: &stderr,
	}
	code := execute(t.Context(), doctorOf("--fix"), declined)
	if code != 1 || !strings.Contains(stderr.String(), asks) || len(w.fakes.Subscriptions()) != 0 {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	w.registered()
	for _, s := range w.fakes.Subscriptions() {
		if s.URL != w.address+"/"+s.Provider || s.Paused || len(s.Events) < 3 ||
			s.Provider == fake.Truv && s.Environment != "sandbox" ||
			s.Provider == fake.Pinwheel && s.Version != "2025-07-08" {
			t.Errorf("registered %+v", s)
		}
	}
	w.keep(fake.Truv, "link-connected")
	dry = w.does(exitBad, doctorOf("--fix", "--dry-run")...)
	contains(t, dry.stderr, "to add 13 types to the registration of "+w.address+"/truv at Truv\n")
	w.pauseAll()
	dry = w.does(exitBad, doctorOf("--fix", "--dry-run")...)
	contains(t, dry.stderr,
		"to make the registration of "+w.address+"/pinwheel at Pinwheel active\n",
		"to make the registration of "+w.address+"/truv at Truv active, and add 13 types\n")
	w.shorten(fake.Truv)
	extra := w.fakes.Subscriptions()[0].ID
	_, err := w.fakes.ChangeSubscription(extra, func(s *fake.Subscription) {
		s.Events = append(s.Events, "bill.added")
	})
	w.must(err)
	w.registered()
	all := w.fakes.Subscriptions()
	if len(all) != 2 || all[0].Paused || all[1].Paused || len(all[1].Events) != 14 ||
		!slices.Contains(all[0].Events, "bill.added") {
		t.Errorf("after the second time: %+v", all)
	}
	again := w.does(0, doctorOf("--fix", "--yes")...)
	contains(t, again.stderr, "there is nothing that --fix can put right\n")
}

func TestADoctorRefuses(t *testing.T) {
	for promise, test := range map[string]struct {
		args []string
		says string
	}{
		"a fix that nobody agrees to":  {[]string{"--fix"}, "nobody is there to answer"},
		"an agreement to nothing":      {[]string{"--yes"}, "are for --fix"},
		"an address that is none":      {[]string{"--webhook-url", "hooks"}, "not an address such as"},
		"an address with a password":   {[]string{"--webhook-url", "https://a:b@c"}, "not an address such as"},
		"an argument":                  {[]string{"pinwheel"}, "unexpected argument"},
		"a limit of an unknown stream": {[]string{"--max-age", "X=1d"}, "X"},
	} {
		got := wagewire(t, env(), append([]string{"doctor"}, test.args...)...)
		if got.code != 2 || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%s: %+v", promise, got)
		}
	}
}
