package schema_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/broker"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// The consumer of a downstream team reads completions through a durable consumer, and acknowledges
// each after its own work. The stream keeps completions for 21 days, so a team that was away for a
// weekend misses nothing.
func Example() {
	dir, err := os.MkdirTemp("", "wagewire-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server, err := serveOneCompletion(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Stop()

	ctx, stop := context.WithCancel(context.Background())
	err = consume(ctx, server.URL(), func(completion schema.Completion) error {
		fmt.Println(completion.ID, completion.Data.Outcome)
		stop()
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: pinwheel:e-1:paystubs succeeded
}

// consume hands every paystubs completion to store until ctx ends. The same completion may come
// again: store keeps each id once.
func consume(ctx context.Context, url string, store func(schema.Completion) error) error {
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	config := jetstream.ConsumerConfig{
		Durable:       "lending",
		FilterSubject: "wagewire.completions.*.paystubs.>",
		AckPolicy:     jetstream.AckExplicitPolicy,
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, schema.CompletionsStream, config)
	if err != nil {
		return err
	}
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		var completion schema.Completion
		if err := json.Unmarshal(msg.Data(), &completion); err != nil {
			_ = msg.TermWithReason("not a completion")
			return
		}
		if err := store(completion); err != nil {
			_ = msg.NakWithDelay(time.Minute)
			return
		}
		_ = msg.Ack()
	})
	if err != nil {
		return err
	}
	defer consuming.Stop()
	<-ctx.Done()
	return nil
}

// serveOneCompletion starts a broker that holds the completion of one paystubs event.
func serveOneCompletion(dir string) (*broker.Server, error) {
	server, err := broker.Start(broker.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	conn, err := stream.Connect(stream.Config{URL: server.URL()}, "example", zap.NewNop())
	if err != nil {
		return server, err
	}
	defer conn.Close()
	ctx := context.Background()
	at := time.Date(2026, 1, 12, 2, 36, 1, 0, time.UTC)
	event := schema.Event{
		Provider:   schema.Pinwheel,
		ID:         "e-1",
		Type:       "paystubs.fully_synced",
		Resource:   schema.Paystubs,
		Action:     schema.ActionFullySynced,
		AccountID:  "a-1",
		OccurredAt: at,
		ReceivedAt: at,
		Body:       []byte(`{}`),
	}
	completion := schema.NewCompletion(event, schema.Paystubs, schema.Succeeded, at)
	err = stream.NewOperator(conn).Provision(ctx, broker.SmallTopology())
	if err == nil {
		_, err = conn.PublishCompletion(ctx, event, completion)
	}
	return server, err
}

func TestTheJavaScriptConsumerReadsCompletions(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: the JavaScript consumer needs %s on the PATH", program)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"consumer.mjs", "package.json"} {
		text, err := os.ReadFile(filepath.Join("examples", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "install",
		"--no-package-lock", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	server, err := serveOneCompletion(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)

	if got, want := firstLine(t, server, dir), "pinwheel:e-1:paystubs succeeded"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
}

// firstLine runs the JavaScript consumer until it has printed a line.
func firstLine(t *testing.T, server *broker.Server, dir string) string {
	t.Helper()
	consumer := exec.CommandContext(t.Context(), "node", "consumer.mjs")
	consumer.Dir = dir
	consumer.Env = append(os.Environ(), "NATS_URL="+server.URL())
	consumer.Stderr = t.Output()
	stdout, err := consumer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := consumer.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = consumer.Process.Kill()
		_ = consumer.Wait()
	}()
	printed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		printed <- strings.TrimSpace(line)
	}()
	select {
	case line := <-printed:
		return line
	case <-streamtest.Late(t):
		t.Fatal("it printed nothing")
		return ""
	}
}

func TestThePythonConsumerCompiles(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT RUN: the Python consumer needs python3 on the PATH")
	}
	source, err := filepath.Abs("examples/consumer.py")
	if err != nil {
		t.Fatal(err)
	}
	compiled := filepath.Join(t.TempDir(), "consumer.pyc")
	const program = "import py_compile, sys; " +
		"py_compile.compile(sys.argv[1], cfile=sys.argv[2], doraise=True)"
	compile := exec.CommandContext(t.Context(), python, "-c", program, source, compiled)
	out, err := compile.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The subscribers' README shows the programs above as they are run here.
func TestTheExamplesOfTheREADMEAreTheOnesThatRun(t *testing.T) {
	const readme = "README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for _, example := range []struct{ language, file, from, to string }{
		{language: "go", file: "example_test.go", from: "func consume(", to: "\n}\n"},
		{language: "python", file: "examples/consumer.py"},
		{language: "js", file: "examples/consumer.mjs"},
	} {
		source, err := os.ReadFile(example.file)
		if err != nil {
			t.Fatal(err)
		}
		program, err := between(string(source), example.from, example.to)
		if err != nil {
			t.Fatalf("%s: %v", example.file, err)
		}
		begin := "```" + example.language + "\n"
		before, rest, begins := strings.Cut(want, begin)
		_, after, ends := strings.Cut(rest, "```\n")
		if !begins || !ends {
			t.Fatalf("%s has no block of %s", readme, example.language)
		}
		want = before + begin + program + "```\n" + after
	}
	current(t, readme, want)
}

// between is the text from a mark to the end of another, all of it if the marks are empty.
func between(text, from, to string) (string, error) {
	if from == "" {
		return text, nil
	}
	_, rest, ok := strings.Cut(text, "\n"+from)
	body, _, closed := strings.Cut(rest, to)
	if !ok || !closed {
		return "", errors.New("the marks of the example are not in it")
	}
	return from + body + to, nil
}
