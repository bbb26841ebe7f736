package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

const (
	// ratePerS is PINWHEEL_RATE_PER_S of every process.
	ratePerS = 10
	// burst is how many calls more than ratePerS may come in a second.
	burst = 5
	// publishersMax is how many events are published at a time.
	publishersMax = 32
)

// budgetResources are the resources of the workers. A worker makes one call for each event.
func budgetResources() []schema.Resource {
	return []schema.Resource{schema.Employment, schema.Identity, schema.Income}
}

// buildWorkers builds the worker commands of the resources, and returns their directory. The
// overlay replaces files of the build; "" replaces none.
func buildWorkers(t *testing.T, overlay string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator), "-overlay", overlay}
	for _, r := range budgetResources() {
		args = append(args, "./workers/cmd/"+stream.WorkerRole(r))
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Dir = checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the workers: %v\n%s", err, out)
	}
	return dir
}

// installation is a broker, an API that counts calls, and worker processes. They end with the test.
type installation struct {
	*testing.T
	binaries string
	natsURL  string
	conn     *stream.Conn
	js       jetstream.JetStream
	api      *countedAPI
	control  *control
	workers  []*worker
	// ids are the ids of all events.
	ids []string
}

// newInstallation returns an installation with a broker of its own, and without workers.
func newInstallation(t *testing.T, binaries string) (*installation, *streamtest.Server) {
	t.Helper()
	server := streamtest.Run(t, streamtest.Config{})
	return newInstallationAt(t, binaries, server.URL()), server
}

// newInstallationAt returns an installation in an account of a broker. The URL names the account's
// user, if the broker has accounts.
func newInstallationAt(t *testing.T, binaries, natsURL string) *installation {
	t.Helper()
	conn, err := stream.Connect(stream.Config{URL: natsURL}, stream.RoleOperator, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	streamtest.Provision(t, conn, streamtest.Topology())
	nc, err := nats.Connect(natsURL, nats.MaxReconnects(-1), nats.ReconnectWait(askEvery))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &installation{
		T: t, binaries: binaries, natsURL: natsURL, conn: conn, js: js,
		api: newCountedAPI(t), control: startControl(t, js),
	}
}

// publish stores n events of each resource. Their ids and accounts begin with the prefix.
func (in *installation) publish(prefix string, n int, resources ...schema.Resource) {
	in.Helper()
	in.publishEach(n, prefix, resources, func(ctx context.Context, e schema.Event) error {
		_, err := in.conn.PublishEvent(ctx, e)
		return err
	})
}

func (in *installation) publishEach(
	n int, prefix string, resources []schema.Resource,
	publish func(context.Context, schema.Event) error,
) {
	in.Helper()
	var group errgroup.Group
	group.SetLimit(publishersMax)
	for _, r := range resources {
		for i := range n {
			e := budgetEvent(r, fmt.Sprintf("%s-%s-%d", prefix, r, i))
			in.ids = append(in.ids, e.ID)
			group.Go(func() error {
				ctx, cancel := context.WithTimeout(in.Context(), requestFor)
				defer cancel()
				return publish(ctx, e)
			})
		}
	}
	if err := group.Wait(); err != nil {
		in.Fatal(err)
	}
}

// budgetEvent returns an event of a resource about an account of the same id.
func budgetEvent(r schema.Resource, id string) schema.Event {
	webhookType := string(r) + ".added"
	row := schema.Lookup(schema.Pinwheel, webhookType)
	now := time.Now()
	body := fmt.Sprintf(`{"event":%q,"event_id":%q,"payload":{"account_id":%q,"outcome":"success"}}`,
		webhookType, id, id)
	return schema.Event{
		Provider: schema.Pinwheel, ID: id, Type: webhookType, Resource: row.Resource,
		Action: row.Action, AccountID: id, OccurredAt: now, ReceivedAt: now, Body: []byte(body),
	}
}

// worker is a worker command as a process.
type worker struct {
	admin   string
	process *exec.Cmd
	log     *logBuffer
	ended   chan struct{}
	began   time.Time
}

// startEach starts n processes of the command of each resource.
func (in *installation) startEach(n int, resources ...schema.Resource) {
	in.Helper()
	for _, r := range resources {
		for range n {
			in.start(r)
		}
	}
}

// start starts a process with further variables.
func (in *installation) start(r schema.Resource, variables ...string) *worker {
	in.Helper()
	secret := filepath.Join(in.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(fake.Secret(fake.Pinwheel)+"\n"), 0o600); err != nil {
		in.Fatal(err)
	}
	w := &worker{
		admin:   "127.0.0.1:" + strconv.Itoa(streamtest.FreePort(in)),
		process: exec.Command(filepath.Join(in.binaries, stream.WorkerRole(r))),
		log:     &logBuffer{}, ended: make(chan struct{}), began: time.Now(),
	}
	w.process.Env = append([]string{
		"NATS_URL=" + in.natsURL,
		"PINWHEEL_URL=" + in.api.URL,
		"PINWHEEL_API_SECRET_FILE=" + secret,
		"PINWHEEL_RATE_PER_S=" + strconv.Itoa(ratePerS),
		"ADMIN_ADDR=" + w.admin,
		"LOG_FORMAT=json",
	}, variables...)
	w.process.Stderr = w.log
	if err := w.process.Start(); err != nil {
		in.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		_ = w.process.Wait() // the test kills the process
	}()
	in.Cleanup(func() {
		if in.Failed() {
			_, ready := w.page(context.Background(), "/readyz")
			in.Logf("a worker of %s at the end: %s%s", r, ready, complaints(w.log.text()))
		}
		w.kill()
	})
	in.workers = append(in.workers, w)
	return w
}

// kill kills the process as kill -9 does, and returns after the end.
func (w *worker) kill() {
	_ = w.process.Process.Kill() // the process may have ended
	<-w.ended
}

// complaints returns the last lines of a log above level info.
func complaints(log []byte) string {
	const most = 10
	var lines []string
	for line := range strings.Lines(string(log)) {
		if !strings.Contains(line, `"level":"info"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// page returns an admin page of the process. The status is 0 if there is no answer.
func (w *worker) page(ctx context.Context, path string) (status int, text string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.admin+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// sum adds up a metric over all labels and all processes. A process that has ended counts nothing.
func (in *installation) sum(metric string) float64 {
	sum := 0.0
	for _, w := range in.workers {
		_, text := w.page(in.Context(), "/metrics")
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(line, " ")
			if name, _, _ = strings.Cut(name, "{"); name != metric {
				continue
			}
			number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				in.Errorf("metric %s: %v", metric, err)
			}
			sum += number
		}
	}
	return sum
}

// awaitReadiness waits until /readyz of every process answers with the status and a reason that has
// the text.
func (in *installation) awaitReadiness(status int, reason string) {
	in.Helper()
	for _, w := range in.workers {
		streamtest.Eventually(in, fmt.Sprintf("/readyz answers %d with %q", status, reason),
			func() bool {
				got, text := w.page(in.Context(), "/readyz")
				return got == status && strings.Contains(text, reason)
			})
	}
}
