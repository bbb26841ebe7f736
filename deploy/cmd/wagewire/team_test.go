package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// publicKey is a key that a team made itself.
const publicKey = "UBSBPNM6ZK57NAVZTF4ANUS2LE26JUXJAMYKIBHM3WEBBTOEMM5Y4YBH"

// complete stores a completion of paystubs for each id.
func (b *bench) complete(ids ...string) {
	b.Helper()
	for _, id := range ids {
		e := b.event("paystubs.fully_synced", id, "a-1")
		completion := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, receivedAt)
		_, err := b.conn.PublishCompletion(b.Context(), e, completion)
		b.must(err)
	}
}

// byHand makes a durable as a team of an earlier release did.
func (b *bench) byHand(name string) {
	b.Helper()
	_, err := b.js.CreateConsumer(b.Context(), schema.CompletionsStream, jetstream.ConsumerConfig{
		Durable: name, FilterSubject: "wagewire.completions.*.paystubs.>",
		AckPolicy: jetstream.AckExplicitPolicy,
	})
	b.must(err)
}

func (b *bench) read(path string) string {
	b.Helper()
	text, err := os.ReadFile(path)
	b.must(err)
	return string(text)
}

// durables are the durables of completions and their teams, as "team durable".
func (b *bench) durables() []string {
	b.Helper()
	durables, err := b.conn.Durables(b.Context())
	b.must(err)
	var names []string
	for _, d := range durables {
		names = append(names, d.Team+" "+d.Name)
	}
	return names
}

// secretsOf is a directory for keys that does not exist yet.
func secretsOf(t *testing.T) string { return filepath.Join(t.TempDir(), "secrets") }

func TestATeamIsMadeOnce(t *testing.T) {
	b := newBench(t)
	dir := secretsOf(t)
	add := []string{"team", "add", "lending", "--resources", "paystubs,income", "--dir", dir}
	got := b.runs(0, add...)
	contains(t, got.stdout, "+ durable lending\n", "    resources: income,paystubs\n",
		"+ durable lending of accounts\n", "2 to create, 0 to change, 0 refused\n", "wrote "+dir+"/nats_team_lending.nk\n",
		"wrote "+dir+"/teams.conf with 1 team\n", "docker compose kill -s HUP nats",
		"nats-server --signal reload", "next: give "+dir+"/nats_team_lending.nk to the team",
		"the JetStream domain wagewire", "the durable lending of WAGEWIRE_COMPLETIONS")
	seed := b.read(filepath.Join(dir, "nats_team_lending.nk"))
	teams := b.read(filepath.Join(dir, "teams.conf"))
	if !strings.HasPrefix(seed, "SU") || strings.Contains(got.stdout, strings.TrimSpace(seed)) {
		t.Errorf("the seed must be in the file and nowhere else: %q", got.stdout)
	}
	contains(t, teams, "TEAM_lending {", "WAGEWIRE_COMPLETIONS.lending.>", ".income.*.*.*")
	add[4] = "income,paystubs"
	if again := b.runs(0, add...); again.stdout != "nothing to change\n" || again.stderr != "" {
		t.Errorf("again: %+v", again)
	}
	if b.read(filepath.Join(dir, "nats_team_lending.nk")) != seed ||
		b.read(filepath.Join(dir, "teams.conf")) != teams {
		t.Error("the same command wrote other files")
	}
	for path, want := range map[string]os.FileMode{
		dir: 0o700, filepath.Join(dir, "nats_team_lending.nk"): 0o644,
		filepath.Join(dir, "teams.conf"): 0o644,
	} {
		info, err := os.Stat(path)
		b.must(err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
}

func TestBankAccountsAreGrantedByTheirNameAndSaidSo(t *testing.T) {
	const told = "reads bank_accounts: full account numbers of persons\n"
	b := newBench(t)
	dir := secretsOf(t)
	for promise, resources := range map[string]string{
		"a star": "*", "everything": ">", "a word for every resource": "all",
		"a word among names": "paystubs,All", "nothing": "", "a comma too much": "paystubs,",
	} {
		t.Run(promise+" is no name", func(t *testing.T) {
			got := wagewire(t, b.server.Getenv(), "team", "add", "lending", "--dir", dir,
				"--resources", resources)
			want := "name each resource, because bank_accounts has full account numbers of persons " +
				"and is granted by its name only: write some of employment, "
			if got.code != 2 || !strings.Contains(got.stderr, want) {
				t.Errorf("got %+v, want %q", got, want)
			}
		})
	}
	if made := b.durables(); len(made) != 0 {
		t.Fatalf("a durable was made: %q", made)
	}
	others := "employment,identity,income,paystubs,shifts,verification_reports,tax_forms,link,notices"
	add := []string{"team", "add", "lending", "--dir", dir, "--yes", "--resources"}
	got := b.runs(0, append(add, others)...)
	teams := b.read(filepath.Join(dir, "teams.conf"))
	if strings.Contains(got.stdout+teams, "bank_accounts") {
		t.Errorf("every other resource grants bank accounts: %s\n%s", got.stdout, teams)
	}
	got = b.runs(0, append(add, others+",bank_accounts")...)
	contains(t, got.stdout, "team lending "+told, "wagewire.completions.truv.bank_accounts.*.*",
		"\n+ bank_accounts\nteam lending ", "team lending reads identity, verification_reports: "+
			"Truv's have whole social security numbers of persons\n")
	contains(t, b.read(filepath.Join(dir, "teams.conf")), ".C.*.bank_accounts.*.*.*")
	got = b.runs(0, append(add, others)...)
	contains(t, got.stdout, "\n- bank_accounts\n")
	if strings.Contains(got.stdout, told) {
		t.Errorf("the team has lost bank accounts, and is told to read them: %s", got.stdout)
	}
	if strings.Contains(b.read(filepath.Join(dir, "teams.conf")), "bank_accounts") {
		t.Error("the broker still grants bank accounts")
	}
}

func TestTeamsConfHasEveryTeamAndStaysTheSameFile(t *testing.T) {
	b := newBench(t)
	dir := secretsOf(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--dir", dir)
	before, err := os.Stat(filepath.Join(dir, "teams.conf"))
	b.must(err)
	got := b.runs(0, "team", "add", "risk-eu", "--resources", "income", "--dir", dir,
		"--key", publicKey)
	contains(t, got.stdout, "wrote "+dir+"/teams.conf with 2 teams\n")
	if strings.Contains(got.stdout, ".nk") {
		t.Errorf("the team has its seed already: %q", got.stdout)
	}
	contains(t, b.read(filepath.Join(dir, "teams.conf")), "TEAM_lending {", "TEAM_risk-eu {",
		publicKey)
	after, err := os.Stat(filepath.Join(dir, "teams.conf"))
	b.must(err)
	if !os.SameFile(before, after) {
		t.Error("a container that mounts the file would not see the other file")
	}
}

func TestAChangeOfATeamIsShownAndAsks(t *testing.T) {
	b := newBench(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--key", publicKey)
	change := []string{"team", "add", "lending", "--resources", "income"}
	if got := b.runs(2, change...); !strings.Contains(got.stderr, "give --yes, or --dry-run") {
		t.Errorf("nobody answers: %+v", got)
	}
	got := b.answering("n\n", change...)
	if got.code != 1 || !strings.Contains(got.stderr, "change team lending? [y/N]") {
		t.Errorf("declined: %+v", got)
	}
	contains(t, got.stdout, "~ durable lending\n    resources: paystubs -> income\n")
	b.runs(0, append(change, "--dry-run")...)
	resources := func() []schema.Resource {
		durables, err := b.conn.Durables(t.Context())
		b.must(err)
		return durables[0].Resources
	}
	if diff := cmp.Diff([]schema.Resource{schema.Paystubs}, resources()); diff != "" {
		t.Errorf("it was changed without consent:\n%s", diff)
	}
	if got := b.answering("y\n", change...); got.code != 0 {
		t.Errorf("agreed: %+v", got)
	}
	if diff := cmp.Diff([]schema.Resource{schema.Income}, resources()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestANewKeyTakesThePlaceOfTheOld(t *testing.T) {
	b := newBench(t)
	dir := secretsOf(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--dir", dir)
	before := b.read(filepath.Join(dir, "nats_team_lending.nk"))
	b.runs(0, "team", "add", "lending", "--dir", dir, "--new-key", "--yes")
	public, err := nats.TeamKey(dir, "lending")
	b.must(err)
	durables, err := b.conn.Durables(t.Context())
	b.must(err)
	if b.read(filepath.Join(dir, "nats_team_lending.nk")) == before ||
		durables[0].Key != public ||
		!strings.Contains(b.read(filepath.Join(dir, "teams.conf")), public) {
		t.Errorf("the key is still the old one: %+v", durables)
	}
}

func TestFurtherDurablesAreAddedToATeam(t *testing.T) {
	b := newBench(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--key", publicKey)
	b.complete("e-1")
	b.byHand("lending-prod")
	got := b.runs(0, "team", "add", "lending", "--durable", "reports", "--durable", "audit",
		"--since", "now")
	contains(t, got.stdout, "2 to create, 0 to change, 0 refused",
		"binds to the durable lending, lending_reports or lending_audit")
	got = b.runs(1, "team", "add", "lending", "--adopt", "nobodys")
	contains(t, got.stderr, "there is no durable nobodys to adopt")
	b.runs(0, "team", "add", "lending", "--adopt", "lending-prod", "--yes")
	want := []string{"lending lending", "lending lending-prod", "lending lending_audit",
		"lending lending_reports"}
	if diff := cmp.Diff(want, b.durables()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var many []string
	for _, letter := range "abcdefghijklm" {
		many = append(many, "--durable", string(letter))
	}
	got = b.runs(1, append([]string{"team", "add", "lending"}, many...)...)
	contains(t, got.stderr, "team lending would have 17 durables, more than 16")
}

func TestAnAdoptedDurableIsTheFirstOfItsTeam(t *testing.T) {
	b := newBench(t)
	b.byHand("lending")
	add := []string{"team", "add", "lending", "--resources", "paystubs", "--key", publicKey}
	got := b.runs(1, add...)
	contains(t, got.stdout, "the durable was made by hand: --adopt lending takes it over")
	contains(t, got.stderr, "nothing was done")
	b.runs(0, append(add, "--adopt", "lending", "--yes")...)
	if diff := cmp.Diff([]string{"lending lending"}, b.durables()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATeamThatCannotBeMadeSaysWhatIsMissing(t *testing.T) {
	b := newBench(t)
	open := t.TempDir()
	b.must(os.Chmod(open, 0o755))
	broken := t.TempDir()
	b.must(os.WriteFile(filepath.Join(broken, "nats_team_lending.nk"), []byte("x"), 0o600))
	for promise, test := range map[string]struct {
		code int
		args []string
		want string
	}{
		"what it reads": {2, []string{"--key", publicKey}, "say with --resources what it reads"},
		"a key": {2, []string{"--resources", "paystubs"},
			"team lending has no key: --dir DIR makes one there"},
		"a directory for secrets": {1, []string{"--resources", "paystubs", "--dir", open},
			"chmod 700"},
		"a seed": {1, []string{"--resources", "paystubs", "--dir", broken},
			"nats_team_lending.nk has no seed of a user"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, b.server.Getenv(), append([]string{"team", "add", "lending"},
				test.args...)...)
			if got.code != test.code || !strings.Contains(got.stderr, test.want) ||
				got.stdout != "" {
				t.Errorf("got %+v, want %q and no plan", got, test.want)
			}
		})
	}
	if made := b.durables(); len(made) != 0 {
		t.Errorf("a durable was made: %q", made)
	}
}

func TestTeamsNeedTheirStream(t *testing.T) {
	for _, args := range [][]string{
		{"team", "add", "lending", "--resources", "paystubs", "--key", publicKey},
		{"team", "list"}, {"team", "remove", "lending", "--yes"},
	} {
		got := wagewire(t, startBroker(t).Getenv(), args...)
		if got.code != 1 || !strings.Contains(got.stderr, "run: wagewire provision apply\n") {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestTheListOfDurables(t *testing.T) {
	now := receivedAt.Add(2 * day)
	durables := []stream.Durable{
		{
			Team: "lending", Name: "lending", Key: publicKey,
			Resources: []schema.Resource{schema.Paystubs, schema.Income}, Pending: 3, InHand: 1,
			Oldest: receivedAt, LostAt: receivedAt.Add(21 * day), Created: receivedAt,
			Active: now.Add(-time.Minute),
		},
		{Team: "risk", Name: "risk", Resources: []schema.Resource{schema.Link}, Created: now},
		{Name: "test 7", Resources: []schema.Resource{}, Pending: 9, Created: receivedAt,
			Oldest: receivedAt, LostAt: receivedAt.Add(day)},
	}
	want := `TEAM     DURABLE   RESOURCES        LAG  OLDEST  LOST      ACTIVE  NOTE
lending  lending   paystubs,income  4    2d0h    in 19d0h  1m0s    
risk     risk      link             0    -       -         -       
-        "test 7"  -                9    2d0h    now       -       made by hand, abandoned
`
	var screen bytes.Buffer
	if err := listDurables(terminal{stdout: &screen}, durables, false, now); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, screen.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	screen.Reset()
	if err := listDurables(terminal{stdout: &screen}, durables, true, now); err != nil {
		t.Error(err)
	}
	want = `{"team":"lending","durable":"lending","resources":["paystubs","income"],"key":"` +
		publicKey + `","pending":3,"in_hand":1,"oldest":"2024-05-06T07:08:09Z",` +
		`"lost_at":"2024-05-27T07:08:09Z","active":"2024-05-08T07:07:09Z",` +
		`"created":"2024-05-06T07:08:09Z","requests":0,"lag":4,"abandoned":false}`
	if first, _, _ := strings.Cut(screen.String(), "\n"); first != want {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, first))
	}
}

func TestAStatusHasALineForEachTeam(t *testing.T) {
	b := newBench(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--durable", "reports",
		"--key", publicKey)
	b.byHand("test-7")
	b.complete("e-1", "e-2")
	var got status
	b.must(json.Unmarshal([]byte(b.runs(0, "status", "--json").stdout), &got))
	if len(got.Teams) != 2 || got.Teams[0].Team != "lending" || got.Teams[0].Durables != 2 ||
		got.Teams[0].Lag != 4 || got.Teams[1].Team != "" || got.Teams[1].Lag != 2 {
		t.Errorf("got %+v", got.Teams)
	}
	lines := regexp.MustCompile(`(?m)^lending +2 +0 +4 .*\n- +1 +0 +2 `)
	if screen := b.runs(0, "status").stdout; !lines.MatchString(screen) {
		t.Errorf("got\n%s", screen)
	}
}

func TestATeamIsRemovedWithItsDurables(t *testing.T) {
	b := newBench(t)
	dir := secretsOf(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--durable", "reports",
		"--durable", "audit", "--dir", dir)
	b.runs(0, "team", "add", "risk", "--resources", "income", "--dir", dir)
	b.byHand("test-7")
	remove := []string{"team", "remove", "lending", "--dir", dir}
	got := b.runs(0, append(remove, "--dry-run")...)
	contains(t, got.stdout, "lending_reports")
	contains(t, got.stderr, "would delete 3 durables")
	if got := b.answering("n\n", remove...); got.code != 1 || len(b.durables()) != 5 {
		t.Errorf("declined: %+v, %q", got, b.durables())
	}
	for _, durable := range []string{"audit", "lending_reports"} {
		got := b.runs(0, append(remove, "--durable", durable, "--yes")...)
		contains(t, got.stderr, "deleted 1 durable\n")
	}
	got = b.runs(0, append(remove, "--yes")...)
	contains(t, got.stdout, "wrote "+dir+"/teams.conf with 1 team\n", "docker compose kill",
		"kept "+dir+"/nats_team_lending.nk")
	if diff := cmp.Diff([]string{"risk risk", " test-7"}, b.durables()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if teams := b.read(filepath.Join(dir, "teams.conf")); strings.Contains(teams, "lending") {
		t.Errorf("teams.conf still has the team:\n%s", teams)
	}
	if got := b.runs(0, append(remove, "--yes")...); got.stdout != "nothing to change\n" {
		t.Errorf("again: %+v", got)
	}
}

func TestARemovalDeletesNoDurableByMistake(t *testing.T) {
	b := newBench(t)
	b.runs(0, "team", "add", "lending", "--resources", "paystubs", "--key", publicKey)
	b.byHand("test-7")
	for promise, test := range map[string]struct {
		args []string
		want string
	}{
		"a team's, without the team":      {[]string{"--durable", "lending"}, "is of team lending"},
		"one without a team, as a team's": {[]string{"lending", "--durable", "test-7"}, "is of team -"},
		"none":                            {[]string{"--durable", "x"}, "there is no durable x"},
		"no team":                         {[]string{"risk"}, "there is no team risk"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, b.server.Getenv(),
				append([]string{"team", "remove", "--yes"}, test.args...)...)
			if got.code != 1 || !strings.Contains(got.stderr, test.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
	if left := b.durables(); len(left) != 2 {
		t.Errorf("left: %q", left)
	}
	b.runs(0, "team", "remove", "--durable", "test-7", "--yes")
	if diff := cmp.Diff([]string{"lending lending"}, b.durables()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// accountsBroker is a nats-server with the accounts of wagewire nkeys.
type accountsBroker struct {
	*server.Server
	// dir has the keys.
	dir string
}

func startAccounts(t *testing.T) accountsBroker {
	t.Helper()
	dir := secretsOf(t)
	if got := wagewire(t, env(), "nkeys", dir); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	for file, text := range map[string]string{
		nats.AccountsFile: nats.Accounts(),
		"nats.conf": "listen: 127.0.0.1:-1\njetstream { store_dir: " + t.TempDir() + " }\n" +
			"include " + nats.AccountsFile + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options, err := server.ProcessConfigFile(filepath.Join(dir, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	options.NoLog = true
	options.NoSigs = true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	streamtest.Eventually(t, "nats-server is ready",
		func() bool { return s.ReadyForConnections(time.Second) })
	return accountsBroker{s, dir}
}

// getenv is the environment of a process with the seed in a file of the broker's directory.
func (b accountsBroker) getenv(seed, domain string) func(string) string {
	return env("NATS_URL", b.ClientURL(), "NATS_JS_DOMAIN", domain,
		"NATS_CREDS_FILE", filepath.Join(b.dir, seed))
}

func TestAnAddedTeamReadsAfterTwoReloads(t *testing.T) {
	t.Parallel()
	b := startAccounts(t)
	operator := b.getenv("nats_wagewire.nk", "wagewire")
	for _, args := range [][]string{
		provision("apply", small()...),
		{"team", "add", "risk-eu", "--resources", "paystubs", "--dir", b.dir},
	} {
		if got := wagewire(t, operator, args...); got.code != 0 {
			t.Fatalf("%q: %+v", args, got)
		}
	}
	for range 2 { // as wagewire team add says
		if err := b.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	key, err := natsgo.NkeyOptionFromSeed(filepath.Join(b.dir, nats.TeamSeedFile("risk-eu")))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := natsgo.Connect(b.ClientURL(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.NewWithDomain(nc, stream.Domain)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.Consumer(t.Context(), schema.CompletionsStream, "risk-eu")
	if err != nil || consumer.CachedInfo().Name != "risk-eu" {
		t.Errorf("bind: %v", err)
	}
}

func TestAKeyWithoutTheRightIsToldWhichKeyHasIt(t *testing.T) {
	t.Parallel()
	b := startAccounts(t)
	operator := b.getenv("nats_wagewire.nk", "wagewire")
	if got := wagewire(t, operator, provision("apply", small()...)...); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	for promise, test := range map[string]struct {
		seed, domain, want string
	}{
		"a worker": {"nats_income.nk", "wagewire",
			"set NATS_CREDS_FILE to nats_wagewire.nk\n"},
		"a worker without the domain": {"nats_income.nk", "",
			"if the broker has an account for each role, set NATS_JS_DOMAIN to wagewire\n"},
		"the operator with another domain": {"nats_wagewire.nk", "hub",
			"check NATS_CREDS_FILE, and NATS_JS_DOMAIN (empty, if the broker has no accounts)\n"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, b.getenv(test.seed, test.domain), "team", "list")
			if got.code != 1 || !strings.HasSuffix(got.stderr, test.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
