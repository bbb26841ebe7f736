package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/usage"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// CommandsConfig is how much the broker holds while the commands of operators are measured.
type CommandsConfig struct {
	// Bin is the directory of the binaries, nats-server too.
	Bin string
	// Completions, Events and DeadLetters are how many messages the streams hold. Each event and
	// each dead letter belongs to one of the last completions.
	Completions int
	Events      int
	DeadLetters int
	// Times is how often each command runs. The slowest run counts.
	Times int
}

const (
	// seedPause is how long the seeding waits for the broker when too much is unanswered.
	seedPause = 30 * time.Second
	// seedUnanswered is how many messages are on their way to the broker at a time.
	seedUnanswered = 4000
	// seedBodyBytes is the size of a completion, without its headers.
	seedBodyBytes = 1000
	// seedPerAccount is how many completions an account has.
	seedPerAccount = 10
	// commandFor is how long a command may take. After that it is killed, and the table says so.
	commandFor = 10 * time.Second
	// peakEvery is the pause between two looks at the memory of a command.
	peakEvery = 2 * time.Millisecond
)

// commandFigures are what a command of an operator took.
type commandFigures struct {
	args  string
	took  time.Duration
	peak  int64
	lines int
	// says is what the command printed last for people, if it ended with an error.
	says string
}

// RunCommands fills the streams of a broker of its own, runs the commands of operators that look at
// streams, and prints the time and the memory of each. It leaves nothing behind.
func RunCommands(ctx context.Context, c CommandsConfig, stdout io.Writer) (err error) {
	b, on, err := newFilled(ctx, c, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	var measured []commandFigures
	for _, args := range commandsOf(c) {
		var worst commandFigures
		for range c.Times {
			f, err := b.runCommand(ctx, on, args)
			if err != nil {
				return err
			}
			worst.args = f.args
			worst.lines = f.lines
			worst.says = f.says
			worst.took = max(worst.took, f.took)
			worst.peak = max(worst.peak, f.peak)
		}
		measured = append(measured, worst)
	}
	return reportCommands(stdout, measured)
}

// newFilled returns a bench with a broker that holds the messages, and prints what filling it took.
// The caller must call stop.
func newFilled(
	ctx context.Context, c CommandsConfig, stdout io.Writer,
) (b *bench, on *broker, err error) {
	topology := schema.DefaultTopology()
	for i := range topology.Streams {
		topology.Streams[i].MaxBytes = 0
		topology.Streams[i].MaxMessages = 0
	}
	b, err = newBench(Config{Bin: c.Bin, Senders: 1}, topology)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop())
		}
	}()
	on, err = b.startBroker(ctx, settings[0])
	if err != nil {
		return nil, nil, err
	}
	empty, err := memoryOf(usage.Memory, on.servers[0])
	if err != nil {
		return nil, nil, err
	}
	began := time.Now()
	if err := b.seed(ctx, on, c); err != nil {
		return nil, nil, fmt.Errorf("fill the streams: %w", err)
	}
	full, err := memoryOf(usage.Memory, on.servers[0])
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(stdout, "%d completions, %d events, %d dead letters, stored in %s; "+
		"the broker has %d MB of memory, %d MB before\n\n", c.Completions, c.Events,
		c.DeadLetters, time.Since(began).Round(time.Second), full>>20, empty>>20)
	return b, on, nil
}

// commandsOf are the commands to measure.
func commandsOf(c CommandsConfig) [][]string {
	oldest := seedID(0)
	latest := seedID(c.Completions - 1)
	queue := schema.QueueName(schema.Pinwheel, schema.Paystubs)
	return [][]string{
		{"status"},
		{"trace", latest},
		{"trace", oldest},
		{"trace", "00000000-aaaa-0000-aaaa-000000000000"},
		{"find", seedAccount(c.Completions - 1)},
		{"dead", "list"},
		{"dead", "list", "--json"},
		{"dead", "show", strconv.Itoa(max(1, c.DeadLetters))},
		{"dead", "redrive", "--all", "--dry-run"},
		{"dead", "discard", "--all", "--dry-run"},
		{"quarantine", "list"},
		{"replay", "--queue", queue, "--since", "all", "--dry-run"},
		{"replay", "--queue", queue, "--account", seedAccount(c.Completions - 1), "--dry-run"},
		{"team", "list"},
		{"doctor"},
	}
}

// seedID is the id of a seeded event, of a fixed length.
func seedID(n int) string { return fmt.Sprintf("%08d-5eed-4000-8000-000000000000", n) }

// seedAccount is the id of the account of a seeded event, of a fixed length.
func seedAccount(n int) string {
	return fmt.Sprintf("%08d-acc0-4000-8000-000000000000", n/seedPerAccount)
}

// seed fills the streams. Our own code stores the first message of each stream, and all others are
// copies of it with other ids. Copies have no message id: the broker forgets the ids of most kept
// messages.
func (b *bench) seed(ctx context.Context, on *broker, c CommandsConfig) error {
	conn, err := stream.Connect(stream.Config{URL: on.url}, "wagewire-bench", zap.NewNop())
	if err != nil {
		return err
	}
	defer conn.Close()
	op := stream.NewOperator(conn)
	e := seedEvent()
	for _, store := range []func() error{
		func() error { _, err := op.PublishEvent(ctx, e); return err },
		func() error { _, err := op.PublishCompletion(ctx, e, seedCompletion(e)); return err },
	} {
		if err := store(); err != nil {
			return err
		}
	}
	stored, exists, err := op.Message(ctx, schema.EventsStream, 1)
	if err != nil || !exists {
		return cmp.Or(err, errors.New("the first event is gone"))
	}
	err = op.PublishDeadLetter(ctx, schema.DeadLetter{
		Queue:   schema.QueueName(e.Provider, e.Resource),
		Account: e.Account(), Class: schema.ClassPermanent, Reason: schema.ReasonRejected,
		Attempts: 1, Status: 404, Endpoint: "/v1/accounts/{account_id}/paystubs", Sequence: 1,
		At: e.ReceivedAt, Headers: stored.Header, Body: stored.Body,
	})
	if err != nil {
		return err
	}
	client, err := nats.Connect(on.url)
	if err != nil {
		return err
	}
	defer client.Close()
	js, err := jetstream.New(client, jetstream.WithPublishAsyncMaxPending(seedUnanswered))
	if err != nil {
		return err
	}
	for _, s := range []struct {
		stream      string
		first, last int
		step        int
	}{
		{schema.CompletionsStream, 1, c.Completions, 1},
		{schema.EventsStream, max(1, c.Completions-c.Events+1), c.Completions, 1},
		{schema.DeadLettersStream, max(1, c.Completions-c.Events+1), c.Completions,
			max(1, c.Events/max(1, c.DeadLetters))},
	} {
		if err := copyMessages(ctx, op, js, s.stream, s.first, s.last, s.step); err != nil {
			return fmt.Errorf("%s: %w", s.stream, err)
		}
	}
	return nil
}

// copyMessages stores copies of the first message of a stream, with the ids of the numbers from
// first until last.
func copyMessages(
	ctx context.Context, op *stream.Operator, js jetstream.JetStream, name string,
	first, last, step int,
) error {
	template, exists, err := op.Message(ctx, name, 1)
	if err != nil || !exists {
		return cmp.Or(err, errors.New("the first message is gone"))
	}
	for n := first; n < last; n += step {
		if _, err := js.PublishMsgAsync(copyOf(template, n),
			jetstream.WithStallWait(seedPause)); err != nil {
			return err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// copyOf is the message with the ids of another number.
func copyOf(template stream.Stored, n int) *nats.Msg {
	ids := strings.NewReplacer(seedID(0), seedID(n), seedAccount(0), seedAccount(n))
	header := nats.Header{}
	for key, values := range template.Header {
		switch key {
		case jetstream.MsgIDHeader, jetstream.ExpectedLastSubjSeqHeader,
			jetstream.ExpectedLastSubjSeqSubjHeader, jetstream.ExpectedStreamHeader:
			// Nothing of it is needed for a copy.
		default:
			header.Set(key, ids.Replace(values[0]))
		}
	}
	return &nats.Msg{
		Subject: ids.Replace(template.Subject), Header: header,
		Data: []byte(ids.Replace(string(template.Body))),
	}
}

func seedEvent() schema.Event {
	now := time.Now()
	return schema.Event{
		Provider: schema.Pinwheel, ID: seedID(0), Type: "paystubs.added",
		Resource: schema.Paystubs, Action: "added", AccountID: seedAccount(0),
		OccurredAt: now, ReceivedAt: now,
		Body: fmt.Appendf(nil,
			`{"event":"paystubs.added","event_id":%q,"payload":{"account_id":%q}}`,
			seedID(0), seedAccount(0)),
	}
}

// seedCompletion is a completion of seedBodyBytes.
func seedCompletion(e schema.Event) schema.Completion {
	c := schema.NewCompletion(e, schema.Paystubs, schema.Succeeded, time.Now())
	body, err := c.Encode()
	if err == nil && len(body) < seedBodyBytes {
		text, _ := json.Marshal(strings.Repeat("x", seedBodyBytes-len(body)))
		c.Data.Records = []json.RawMessage{text}
	}
	return c
}

// runCommand runs wagewire once. A command that ends with an error is measured too: a trace of an
// unknown event exits 1.
func (b *bench) runCommand(ctx context.Context, on *broker, args []string) (commandFigures, error) {
	f := commandFigures{args: strings.Join(args, " ")}
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(ctx, commandFor)
	defer cancel()
	//nolint:gosec // the path is a flag of the bench command
	cmd := exec.CommandContext(ctx, filepath.Join(b.config.Bin, "wagewire"), args...)
	cmd.Env = []string{"NATS_URL=" + on.url, "NATS_JS_DOMAIN="}
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr
	cmd.SysProcAttr = dieWithParent()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return f, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(peakEvery)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			f.took = time.Since(began)
			f.lines = bytes.Count(stdout.Bytes(), []byte("\n"))
			f.says, _, _ = strings.Cut(strings.TrimSpace(stderr.String()), "\n")
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				f.says = "killed: it did not end"
				return f, nil
			}
			if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
				return f, err
			}
			return f, ctx.Err()
		case <-look.C:
			// Between the end of the command and our Wait, nothing can be read.
			if peak, err := usage.MemoryPeak(cmd.Process.Pid); err == nil {
				f.peak = max(f.peak, peak)
			}
		}
	}
}

func reportCommands(w io.Writer, measured []commandFigures) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COMMAND\tTIME\tMEMORY\tLINES\tSAYS")
	for _, f := range measured {
		fmt.Fprintf(table, "wagewire %s\t%.2f s\t%d MB\t%d\t%s\n", f.args, f.took.Seconds(),
			f.peak>>20, f.lines, f.says)
	}
	return table.Flush()
}
