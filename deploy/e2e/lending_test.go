package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// lendingTeam is the team that a sandbox has from the start. Without a key, its programs use the
// operator's account, as schema/README.md says.
const lendingTeam = "lending"

// TestALendingTeamGetsItsAnswers stands in for a team that lends: programs in three languages, made
// with a kit alone, answer the eight questions of schema/README.md. Each answer must be what the
// providers serve, digit for digit.
func TestALendingTeamGetsItsAnswers(t *testing.T) {
	programs := map[string]lendingProgram{
		"go": buildInGo(t), "typescript": buildInTypeScript(t), "python": findPython(t),
	}
	p := params(t, filepath.Join("testdata", "lending_team"), startInProcess)
	l := &lending{people: map[string]person{}}
	for name, run := range map[string]command{
		"borrower": l.borrower,
		"durable":  makeDurables,
		"asks": func(s *script, ts *testscript.TestScript, args arguments) error {
			return l.ask(s, ts, args, programs)
		},
	} {
		p.Cmds[name] = run.named(name)
	}
	testscript.Run(t, p)
}

// lending is what the test knows of the team's borrowers.
type lending struct{ people map[string]person }

// borrower is NAME
//
// The newest person gets the name. Sets $NAME to the account, and $PAYSTUB to the oldest paystub.
func (l *lending) borrower(s *script, ts *testscript.TestScript, args arguments) error {
	if len(args.words) != 2 || args.words[0] != "is" {
		return errors.New("usage: borrower is NAME")
	}
	l.people[args.words[1]] = s.person
	ts.Setenv(strings.ToUpper(args.words[1]), s.person.AccountID)
	paystubs, err := s.served(schema.Paystubs)
	if err != nil {
		return err
	}
	oldest, err := oldestOf(paystubs)
	ts.Setenv("PAYSTUB", oldest)
	return err
}

// oldestOf returns the id of the oldest paystub. The provider removes it from the account that is
// paid.
func oldestOf(paystubs map[string]json.RawMessage) (id string, err error) {
	var oldest string
	for key, record := range paystubs {
		var of struct {
			PayDate string `json:"pay_date"`
		}
		if err := json.Unmarshal(record, &of); err != nil {
			return "", err
		}
		if oldest == "" || of.PayDate < oldest {
			oldest = of.PayDate
			id = key
		}
	}
	return id, nil
}

// durable NAME,NAME all|now
//
// Makes durables of the team, as wagewire team add does.
func makeDurables(s *script, _ *testscript.TestScript, args arguments) error {
	if len(args.words) != 2 {
		return errors.New("usage: durable NAME,NAME all|now")
	}
	team := stream.Team{Name: lendingTeam, Resources: schema.WorkerResources()}
	for name := range strings.SplitSeq(args.words[0], ",") {
		team.Durables = append(team.Durables, lendingTeam+"_"+name)
	}
	how := stream.Reading{}
	if args.words[1] == "now" {
		how.Since = time.Now()
	}
	operator := stream.NewOperator(s.conn)
	changes, err := operator.PlanTeam(s.ctx, team, how)
	if err != nil {
		return err
	}
	return operator.Apply(s.ctx, changes)
}

// answers are what a program of the team prints. Amounts are digits.
type answers struct {
	// Complete is the status of the account that is paid.
	Complete string `json:"complete"`
	Income   income `json:"income"`
	// Paystubs are those of the account, without deleted ones.
	Paystubs sums `json:"paystubs"`
	// Account counts the records of the account by their resource.
	Account map[schema.Resource]int `json:"account"`
	// Changed are the ids of the completions since yesterday.
	Changed []string `json:"changed"`
	// Broken are the accounts that the person must connect again.
	Broken []string `json:"broken"`
	// Large are the paystubs of the account with records outside of the message.
	Large sums `json:"large"`
	// Deleted are the accounts to delete, and Left is the number of their records.
	Deleted []string `json:"deleted"`
	Left    int      `json:"left"`
}

// income is the latest income of the account.
type income struct {
	Amount   json.Number `json:"amount"`
	Unit     string      `json:"unit"`
	Currency string      `json:"currency"`
}

// sums are the sums of paystubs: pay in the minor unit, and hours as a decimal.
type sums struct {
	Count int    `json:"count"`
	Net   string `json:"net"`
	Hours string `json:"hours"`
}

// ask LANGUAGE
//
// The program of the language must print the truth.
func (l *lending) ask(
	s *script, ts *testscript.TestScript, args arguments, programs map[string]lendingProgram,
) error {
	if len(args.words) != 1 {
		return errors.New("usage: asks go|typescript|python")
	}
	language := args.words[0]
	run := programs[language]
	if run == nil {
		ts.Logf("NOT RUN: %s", language) // lendingPrograms has logged why
		return nil
	}
	want, err := l.truth(s)
	if err != nil {
		return err
	}
	questions, err := json.Marshal(map[string]string{
		"paid":    l.people["paid"].AccountID,
		"large":   l.people["large"].AccountID,
		"durable": lendingTeam + "_" + language,
		"changes": lendingTeam + "_" + language + "_since",
	})
	if err != nil {
		return err
	}
	cmd := run(s.ctx)
	cmd.Env = append(os.Environ(), cmd.Env...)
	cmd.Env = append(cmd.Env, "NATS_URL="+s.stack.Addresses().NATS, "NATS_SEED_FILE=")
	cmd.Stdin = bytes.NewReader(questions)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s%s", language, err, printed, stderr.Bytes())
	}
	var got answers
	if err := json.Unmarshal(printed, &got); err != nil {
		return fmt.Errorf("%s printed %q: %w", language, printed, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("%s answers otherwise than the providers (-want +got):\n%s", language, diff)
	}
	for _, line := range got.lines() {
		ts.Logf("answer: %-10s  %s", language, line)
	}
	return nil
}

// lines returns the questions with their answers, for make lending.
func (a answers) lines() []string {
	var lines []string
	for _, answered := range []struct {
		question string
		answer   any
	}{
		{"Is the data of the account complete now?", a.Complete},
		{"What is its latest income?", fmt.Sprintf("%s minor units of %s, %s", a.Income.Amount,
			a.Income.Currency, a.Income.Unit)},
		{"All paystubs, without deleted ones?", a.Paystubs},
		{"All there is of one account?", a.Account},
		{"What changed since yesterday?", a.Changed},
		{"Which links broke?", a.Broken},
		{"Where are the records of a large completion?", a.Large},
		{"Whose data must be deleted, and how much of it is left?",
			fmt.Sprintf("%s, %d records", a.Deleted, a.Left)},
	} {
		lines = append(lines, fmt.Sprintf("%-56s %v", answered.question, answered.answer))
	}
	return lines
}

// String says what a sum is of.
func (s sums) String() string {
	return fmt.Sprintf("%d paystubs, net pay %s minor units, %s hours", s.Count, s.Net, s.Hours)
}

// truth returns the answers that the providers' own APIs give.
func (l *lending) truth(s *script) (answers, error) {
	newest := s.person
	defer func() { s.person = newest }()
	want := answers{
		Complete: string(schema.AccountReady),
		Account:  map[schema.Resource]int{},
		Changed:  []string{"pinwheel:promotion:employment", "pinwheel:raise:income"},
		Broken:   []string{l.people["unreachable"].AccountID},
		Deleted:  l.deletedLinks(),
	}
	s.person = l.people["large"]
	paystubs, err := s.served(schema.Paystubs)
	if err != nil {
		return want, err
	}
	want.Large, err = sumsOf(paystubs)
	if err != nil {
		return want, err
	}
	s.person = l.people["paid"]
	for _, r := range []schema.Resource{
		schema.Employment, schema.Identity, schema.Income, schema.Paystubs, schema.Shifts,
	} {
		records, err := s.served(r)
		if err != nil {
			return want, err
		}
		if r == schema.Paystubs {
			removed, err := oldestOf(records)
			if err != nil {
				return want, err
			}
			delete(records, removed)
			want.Paystubs, err = sumsOf(records)
			if err != nil {
				return want, err
			}
		}
		want.Account[r] = len(records)
		if r == schema.Income {
			want.Income, err = incomeOf(records)
			if err != nil {
				return want, err
			}
		}
	}
	return want, nil
}

// deletedLinks are the links that were deleted at Truv: those of people who were played end so.
func (l *lending) deletedLinks() []string {
	var links []string
	for _, name := range []string{"gone", "large", "paid"} {
		links = append(links, l.people[name].LinkID)
	}
	slices.Sort(links)
	return links
}

func incomeOf(records map[string]json.RawMessage) (income, error) {
	var of struct {
		Amount   json.Number `json:"compensation_amount"`
		Unit     string      `json:"compensation_unit"`
		Currency string      `json:"currency"`
	}
	for _, record := range records {
		if err := json.Unmarshal(record, &of); err != nil {
			return income{}, err
		}
	}
	return income(of), nil
}

// sumsOf adds without floats.
func sumsOf(paystubs map[string]json.RawMessage) (sums, error) {
	net := new(big.Int)
	hours := new(big.Rat)
	for _, record := range paystubs {
		var of struct {
			Net      json.Number `json:"net_pay_amount"`
			Earnings []struct {
				Hours *json.Number `json:"hours"`
			} `json:"earnings"`
		}
		if err := json.Unmarshal(record, &of); err != nil {
			return sums{}, err
		}
		amount, ok := new(big.Int).SetString(of.Net.String(), 10)
		if !ok {
			return sums{}, fmt.Errorf("net pay %q is no integer", of.Net)
		}
		net.Add(net, amount)
		for _, earning := range of.Earnings {
			if earning.Hours == nil {
				continue
			}
			worked, ok := new(big.Rat).SetString(earning.Hours.String())
			if !ok {
				return sums{}, fmt.Errorf("hours %q are no decimal", *earning.Hours)
			}
			hours.Add(hours, worked)
		}
	}
	digits, _ := hours.FloatPrec()
	return sums{Count: len(paystubs), Net: net.String(), Hours: hours.FloatString(digits)}, nil
}

// lendingProgram returns the command that runs a program of the team.
type lendingProgram func(context.Context) *exec.Cmd

func buildInGo(t *testing.T) lendingProgram {
	program := filepath.Join(t.TempDir(), "lending")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/lending")
	build.Dir = "../../schema"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, program) }
}

// buildInTypeScript packs the kit as npm would publish it, and compiles the program on top of the
// package. It returns nil without node and npm.
func buildInTypeScript(t *testing.T) lendingProgram {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("NOT RUN: the program in TypeScript needs %s on the PATH", program)
			return nil
		}
	}
	dir := t.TempDir()
	kit := filepath.Join(dir, "schema", "clients", "typescript")
	copyFiles(t, dir, "../../LICENSE")
	copyFiles(t, kit, "../../schema/clients/typescript/*.ts", "../../schema/clients/typescript/*.json",
		"../../schema/clients/typescript/README.md")
	copyFiles(t, dir, "../../schema/examples/lending/lending.ts")
	npm(t, kit, "install")
	npm(t, kit, "pack", "--pack-destination", dir)
	packages, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("npm packed %v %v", packages, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	npm(t, dir, "install", packages[0])
	compile := exec.CommandContext(t.Context(), filepath.Join(kit, "node_modules", ".bin", "tsc"),
		"--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck",
		"--typeRoots", filepath.Join(kit, "node_modules", "@types"), "--types", "node", "lending.ts")
	compile.Dir = dir
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, "node", filepath.Join(dir, "lending.js"))
	}
}

// findPython returns nil without python3. Without nats-py, the program runs on a fake of the calls
// that the kit makes, which talks to the broker all the same.
func findPython(t *testing.T) lendingProgram {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("NOT RUN: the program in Python needs python3 on the PATH")
		return nil
	}
	kit, err := filepath.Abs("../../schema/clients/python")
	if err != nil {
		t.Fatal(err)
	}
	path := kit
	if exec.CommandContext(t.Context(), python, "-c", "import nats").Run() != nil {
		t.Log("the program in Python runs on a fake of nats-py")
		path += string(filepath.ListSeparator) + filepath.Join(kit, "fakenats")
	}
	return func(ctx context.Context) *exec.Cmd {
		program := exec.CommandContext(ctx, python, "../../schema/examples/lending/lending.py")
		program.Env = []string{"PYTHONPATH=" + path, "PYTHONDONTWRITEBYTECODE=1"}
		return program
	}
}

func npm(t *testing.T, dir string, args ...string) {
	t.Helper()
	args = append(args, "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
	command := exec.CommandContext(t.Context(), "npm", args...)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("npm %v: %v\n%s", args, err, out)
	}
}

// copyFiles copies the files that match the patterns to a folder.
func copyFiles(t *testing.T, dir string, patterns ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no file: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
