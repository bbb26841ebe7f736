package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/usage"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// CapacityConfig is how to measure what one person takes of the broker.
type CapacityConfig struct {
	// Bin is the directory of the binaries, nats-server too.
	Bin string
	// People is how many people of each shape link their account.
	People int
	// Senders is how many people link at a time.
	Senders int
}

// shape is how many records a person has.
type shape struct{ paystubs, shifts int }

// shapes are the people to measure: the recorded sandbox account, a salaried person's year of
// monthly pay, and two years of weekly pay and daily shifts.
var shapes = []shape{{31, 90}, {12, 0}, {104, 730}}

func (s shape) String() string {
	return fmt.Sprintf("%d paystubs, %d shifts", s.paystubs, s.shifts)
}

// person is the person of the fake providers, who take a negative number for none.
func (s shape) person() fake.PersonOptions {
	none := func(n int) int {
		if n == 0 {
			return -1
		}
		return n
	}
	return fake.PersonOptions{Paystubs: none(s.paystubs), Shifts: none(s.shifts)}
}

const (
	// settledFor is how long the workers may take for all people of a shape.
	settledFor = 10 * time.Minute
	// settleEvery is the pause between two looks at the queues.
	settleEvery = 200 * time.Millisecond
)

// capacity is what the people of a shape left on the broker.
type capacity struct {
	shape  shape
	people int
	// calls are the calls of the provider.
	calls float64
	// levels are the streams at the end.
	levels []stream.Level
	// disk is what the files of the broker grew by, in bytes.
	disk int64
	// memoryBefore and memoryAfter are the broker's memory with empty streams, and with the data
	// after a restart. memoryPeak is the most during the load. All are 0 if the system does not
	// count memory.
	memoryBefore, memoryAfter, memoryPeak int64
}

// RunCapacity lets people of each shape link their account at Pinwheel, with real processes and the
// default topology, and prints what one person takes. It leaves nothing behind.
func RunCapacity(ctx context.Context, c CapacityConfig, stdout io.Writer) error {
	var measured []capacity
	for _, s := range shapes {
		m, err := measureShape(ctx, c, s)
		if err != nil {
			return fmt.Errorf("people with %s: %w", s, err)
		}
		measured = append(measured, m)
	}
	reportCapacity(stdout, measured)
	return nil
}

// measureShape measures one shape with a broker and processes of its own.
func measureShape(ctx context.Context, c CapacityConfig, s shape) (m capacity, err error) {
	b, err := newBench(Config{Bin: c.Bin, Senders: c.Senders}, schema.DefaultTopology())
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	b.webhooksAddr, err = freeAddr(ctx)
	if err != nil {
		return m, err
	}
	for _, step := range []func(context.Context) error{b.writeSecrets, b.startFake} {
		if err := step(ctx); err != nil {
			return m, err
		}
	}
	return b.fill(ctx, s, c.People)
}

// fill starts a line, lets people link, and measures the broker.
func (b *bench) fill(ctx context.Context, s shape, people int) (capacity, error) {
	m := capacity{shape: s, people: people}
	on, err := b.startBroker(ctx, settings[0])
	if err != nil {
		return m, err
	}
	l, err := b.startOurs(ctx, on, workerCommands())
	if err != nil {
		return m, err
	}
	broker := on.servers[0]
	// The worker accounts calls no provider, and writes the state of each account.
	accounts, err := b.startBinary(ctx, l.dir, stream.RoleAccounts, b.environment(l.url))
	if err != nil {
		return m, err
	}
	before, err := sizeOf(serverDir(l.dir, 0))
	if err != nil {
		return m, err
	}
	m.memoryBefore, err = memoryOf(usage.Memory, broker)
	if err != nil {
		return m, err
	}
	if err := b.link(ctx, s, people); err != nil {
		return m, err
	}
	m.levels, err = b.settle(ctx, l, people)
	if err != nil {
		return m, err
	}
	m.memoryPeak, err = memoryOf(usage.MemoryPeak, broker)
	if err != nil {
		return m, err
	}
	spent, err := spendingOf(ctx, l.workers)
	if err != nil {
		return m, err
	}
	m.calls = spent.turns
	for _, p := range slices.Concat(l.workers, []*process{accounts, l.ingress, broker}) {
		if err := p.stop(); err != nil {
			return m, err
		}
	}
	after, err := sizeOf(serverDir(l.dir, 0))
	if err != nil {
		return m, err
	}
	m.disk = after - before
	again, err := b.startProcess(ctx, broker.program)
	if err != nil {
		return m, err
	}
	m.memoryAfter, err = memoryOf(usage.Memory, again)
	return m, err
}

// link lets people link their account at Pinwheel: each gets the webhooks of a new account, in the
// order of the recorded account.
func (b *bench) link(ctx context.Context, s shape, people int) error {
	_, _, err := b.runSenders(ctx, people, settledFor, func(ctx context.Context, _, _ int) error {
		for _, w := range b.fake.Timeline(b.fake.Person(s.person())) {
			if w.Provider != fake.Pinwheel {
				continue
			}
			answer, err := b.fake.SendWithRetries(ctx, w)
			if err == nil && answer.Status != 200 {
				err = fmt.Errorf("%s is answered %d %s", w.Type, answer.Status, answer.Body)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// settle waits until nothing is left to do, and returns the levels of the streams.
func (b *bench) settle(ctx context.Context, l *line, people int) ([]stream.Level, error) {
	conn, err := stream.Connect(stream.Config{URL: l.url}, "wagewire-bench", zap.NewNop())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, settledFor)
	defer cancel()
	every := time.NewTicker(settleEvery)
	defer every.Stop()
	for {
		levels, queues, err := stream.NewOperator(conn).Status(ctx)
		if err != nil {
			return nil, err
		}
		left := 0
		for _, q := range queues {
			left += int(q.Ready+q.Replays) + q.InHand + q.Waiting
		}
		states, err := l.js.Consumer(ctx, schema.CompletionsStream, schema.AccountsConsumer)
		if err != nil {
			return nil, err
		}
		info := states.CachedInfo()
		left += int(info.NumPending) + info.NumAckPending
		if left == 0 {
			return levels, checkComplete(levels, people)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d events are not completed: %w", left, ctx.Err())
		case <-every.C:
		}
	}
}

// checkComplete returns an error if the streams lack what the people must have left there.
func checkComplete(levels []stream.Level, people int) error {
	for _, l := range levels {
		switch {
		case l.Name == schema.AccountsStream && l.Messages != uint64(people):
			return fmt.Errorf("%d accounts have a state, want %d", l.Messages, people)
		case l.Name == schema.DeadLettersStream && l.Messages > 0,
			l.Name == schema.QuarantineStream && l.Messages > 0:
			return fmt.Errorf("%s has %d messages, want none", l.Name, l.Messages)
		}
	}
	return nil
}

// sizeOf is the size of all files of the broker's streams.
func sizeOf(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(filepath.Join(dir, jetStreamDir),
		func(_ string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the broker replaces files
			}
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil {
				bytes += info.Size()
			}
			return err
		})
	return bytes, err
}

// jetStreamDir is the directory that nats-server makes in its store_dir.
const jetStreamDir = "jetstream"

// memoryOf asks for a process's memory. It returns 0 if the system does not count memory.
func memoryOf(ask func(pid int) (int64, error), p *process) (int64, error) {
	bytes, err := ask(p.pid())
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, nil
	}
	return bytes, err
}

// level returns the level of a stream, the zero Level for a stream that is not there.
func (m capacity) level(name string) stream.Level {
	for _, l := range m.levels {
		if l.Name == name {
			return l
		}
	}
	return stream.Level{}
}

// each is a total for one person.
func (m capacity) each(total float64) float64 { return total / float64(m.people) }

// memoryFor is how much memory the broker has for 10,000 stored completions, in bytes.
func (m capacity) memoryFor() float64 {
	completions := float64(m.level(schema.CompletionsStream).Messages)
	return float64(m.memoryAfter-m.memoryBefore) / completions * 10_000
}

// bound is how many people may link in a day, for ever, before a stream is full.
type bound struct {
	people float64
	stream string
}

// bounds returns the bound of each stream with a limit and an age. A stream holds what comes in the
// time of its age.
func (m capacity) bounds(topology schema.Topology) []bound {
	var bounds []bound
	for _, s := range slices.Concat(topology.Streams, []schema.Stream{topology.Records}) {
		name := s.Name
		if name == topology.Records.Name {
			name = jetstreamBucket(name)
		}
		bytes := float64(m.level(name).Bytes)
		if s.MaxBytes == 0 || s.MaxAge == 0 || bytes == 0 {
			continue
		}
		days := s.MaxAge.Hours() / 24
		bounds = append(bounds, bound{float64(s.MaxBytes) / m.each(bytes) / days, s.Name})
	}
	return bounds
}

// jetstreamBucket is the name of the stream behind an object store.
func jetstreamBucket(name string) string { return "OBJ_" + name }

// narrowest returns the bound of the stream that is full first.
func narrowest(bounds []bound) bound {
	return slices.MinFunc(bounds, func(a, b bound) int { return cmp.Compare(a.people, b.people) })
}

// reportCapacity prints the table, as Markdown.
func reportCapacity(w io.Writer, measured []capacity) {
	row := func(name string, of func(capacity) string) {
		fmt.Fprintf(w, "| %s |", name)
		for _, m := range measured {
			fmt.Fprintf(w, " %s |", of(m))
		}
		fmt.Fprintln(w)
	}
	row("one person", func(m capacity) string { return m.shape.String() })
	row("---", func(capacity) string { return "---" })
	messages := func(stream string) func(capacity) string {
		return func(m capacity) string {
			return fmt.Sprintf("%.1f", m.each(float64(m.level(stream).Messages)))
		}
	}
	kibibytes := func(bytes float64) string { return fmt.Sprintf("%.0f KiB", bytes/(1<<10)) }
	bytes := func(stream string) func(capacity) string {
		return func(m capacity) string { return kibibytes(m.each(float64(m.level(stream).Bytes))) }
	}
	row("events", messages(schema.EventsStream))
	row("completions", messages(schema.CompletionsStream))
	row("calls of the provider",
		func(m capacity) string { return fmt.Sprintf("%.1f", m.each(m.calls)) })
	row("files of the broker",
		func(m capacity) string { return kibibytes(m.each(float64(m.disk))) })
	row("of these, events", bytes(schema.EventsStream))
	row("completions", bytes(schema.CompletionsStream))
	row("large records", bytes(jetstreamBucket(schema.RecordsBucket)))
	row("state of the account", bytes(schema.AccountsStream))
	row("people a day in the default sizes", func(m capacity) string {
		b := narrowest(m.bounds(schema.DefaultTopology()))
		return fmt.Sprintf("%.0f, then `%s` is full", b.people, b.stream)
	})
	mebibytes := func(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }
	row("memory of the broker for 10,000 stored completions",
		func(m capacity) string { return mebibytes(m.memoryFor()) })
	row("most memory of the broker during the load",
		func(m capacity) string { return mebibytes(float64(m.memoryPeak)) })
}
