package drill

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers/fetch"
)

var within = flag.Duration("within", 0, "how long status and metrics may take to name a fault")

const (
	// parallel is how many drills run at a time. They wait more than they work.
	parallel = "4"
	// lookEvery is the pause between two looks.
	lookEvery = 300 * time.Millisecond
	// askFor is how long one request may take.
	askFor = 10 * time.Second
)

// checkout is the root of the repository.
var checkout = filepath.Join("..", "..")

func TestMain(m *testing.M) {
	if code, asked := streamtest.ServeProcess(os.Getenv); asked {
		os.Exit(code)
	}
	// A default, which -parallel on the command line overrides.
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// TestDrills runs every drill against an installation of its own.
func TestDrills(t *testing.T) {
	var results table
	t.Cleanup(func() { t.Log(results.String()) })
	bin := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			d, err := newDrill(env, bin, &results)
			if err != nil {
				return err
			}
			env.Values[drillKey{}] = d
			env.Defer(d.close)
			return nil
		},
	})
}

// build builds the commands of an installation.
func build(t *testing.T) (dir string) {
	dir = t.TempDir()
	args := []string{
		"build", "-o", dir, "./ingress/cmd/ingress", "./workers/cmd/income", "./workers/cmd/link",
		"./deploy/cmd/wagewire", "./deploy/cmd/providers",
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = checkout
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// drill is an installation, and what a script has measured there.
type drill struct {
	t       testing.TB
	name    string
	bin     string
	dir     string
	env     []string // of the processes and of wagewire
	results *table

	// ctx ends with the script, or shortly before the time limit of the test binary.
	ctx      context.Context
	stop     context.CancelCauseFunc
	http     *http.Client
	services map[string]*service
	running  sync.WaitGroup

	natsPort                    int
	ingress, providers, metrics string // addresses
	stopNATS                    func()
	stopFlood, spare            func()
	// since is the end of up, or of the last wait.
	since time.Time
}

type drillKey struct{}

// errLate is the cause of a context that ends shortly before the time limit of the test binary.
var errLate = errors.New("the test binary's time is up")

func newDrill(env *testscript.Env, bin string, results *table) (*drill, error) {
	t, ok := env.T().(testing.TB)
	if !ok {
		return nil, errors.New("drills run in tests only")
	}
	d := &drill{
		t: t, bin: bin, dir: env.WorkDir, results: results,
		http: &http.Client{Timeout: askFor}, services: map[string]*service{},
		stopNATS: func() {}, stopFlood: func() {}, spare: func() {},
		natsPort: streamtest.FreePort(t), since: time.Now(),
	}
	d.name = t.Name()[strings.LastIndex(t.Name(), "/")+1:]
	d.ctx, d.stop = context.WithCancelCause(context.Background())
	d.running.Go(func() {
		select {
		case <-streamtest.Late(t):
			d.stop(errLate)
		case <-d.ctx.Done():
		}
	})
	for _, address := range []*string{&d.ingress, &d.providers, &d.metrics} {
		*address = fmt.Sprintf("127.0.0.1:%d", streamtest.FreePort(t))
	}
	variables, err := d.variables()
	if err != nil {
		return nil, err
	}
	for name, value := range variables {
		env.Setenv(name, value)
	}
	env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
	d.env = slices.Clone(env.Vars)
	return d, nil
}

// variables writes the secrets and returns the environment of the operator and of the processes.
func (d *drill) variables() (map[string]string, error) {
	v := map[string]string{
		"NATS_URL":     d.natsURL(),
		"INGRESS_ADDR": d.ingress,
		"INGRESS":      "http://" + d.ingress + "/webhooks",
		"PROVIDERS":    "http://" + d.providers,
	}
	secrets := filepath.Join(d.dir, "secrets")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		return nil, err
	}
	for _, p := range schema.Providers() {
		for name, value := range fake.Environment(string(p), v["PROVIDERS"]) {
			v[p.Variable(name)] = value
		}
		v[p.Variable("SECRETS_FILE")] = filepath.Join(secrets, string(p))
		v[fetch.SecretVariable(p)] = filepath.Join(secrets, string(p)+".api")
		for _, variable := range []string{p.Variable("SECRETS_FILE"), fetch.SecretVariable(p)} {
			err := os.WriteFile(v[variable], []byte(fake.Secret(string(p))+"\n"), 0o600)
			if err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// close ends the installation. After a failure, it logs the ends of the processes' logs.
func (d *drill) close() {
	d.stopFlood()
	d.spare()
	d.stop(nil)
	d.running.Wait()
	d.http.CloseIdleConnections()
	d.stopNATS()
	if !d.t.Failed() {
		return
	}
	for name := range d.services {
		d.t.Logf("%s logged:\n%s", name, d.lastLines(name))
	}
}

// lastLines is the end of the log of a service.
func (d *drill) lastLines(name string) string {
	const most = 4 << 10
	text, err := os.ReadFile(d.logFile(name))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

func (d *drill) logFile(name string) string { return filepath.Join(d.dir, name+".log") }

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]func(*drill, *testscript.TestScript, []string) error{
		"up": (*drill).up, "named": (*drill).named, "well": (*drill).well,
		"nats": (*drill).switchNATS, "crash": (*drill).crash, "spare": (*drill).spareRole,
		"fault": (*drill).fault, "clear": (*drill).clear, "send": (*drill).send,
		"flood": (*drill).flood, "calm": (*drill).calm, "read": (*drill).read,
		"keep": (*drill).keep,
	}
	cmds := map[string]func(*testscript.TestScript, bool, []string){}
	for name, run := range all {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("%s: there is no ! for it", name)
			}
			if err := run(ts.Value(drillKey{}).(*drill), ts, args); err != nil {
				ts.Fatalf("%s: %v", name, err)
			}
		}
	}
	return cmds
}

// errUsage: the arguments are not those of doc.go.
var errUsage = errors.New("wrong arguments: see doc.go")

// up [VARIABLE=VALUE ...]
func (d *drill) up(ts *testscript.TestScript, args []string) error {
	for _, pair := range args {
		name, value, isPair := strings.Cut(pair, "=")
		if !isPair {
			return errUsage
		}
		ts.Setenv(name, value)
		d.env = append(d.env, pair)
	}
	if err := d.startNATS(0); err != nil {
		return err
	}
	provision := exec.CommandContext(d.ctx, filepath.Join(d.bin, "wagewire"), "provision", "apply")
	provision.Env = d.env
	if out, err := provision.CombinedOutput(); err != nil {
		return fmt.Errorf("provision apply: %w: %s", err, out)
	}
	d.serve("providers", "--addr", d.providers, "--webhooks", ts.Getenv("INGRESS"))
	d.serve("ingress")
	d.serve("income")
	d.serve("link")
	d.serve("wagewire", "metrics", "--addr", d.metrics, "--every", "1s")
	for _, role := range []string{"ingress", "income", "link"} {
		if err := d.untilReported(role, time.Time{}); err != nil {
			return err
		}
	}
	err := d.until(func() error { return d.control(http.MethodDelete, "calls", nil) })
	if err != nil {
		return err
	}
	if err := d.well(ts, nil); err != nil {
		return err
	}
	d.results.forget(d.name) // nothing was wrong yet
	return nil
}

func (d *drill) natsURL() string { return fmt.Sprintf("nats://127.0.0.1:%d", d.natsPort) }
