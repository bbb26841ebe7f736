package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// BrokersConfig is how to measure what lies past one broker.
type BrokersConfig struct {
	// Bin is the directory of the binaries, nats-server too.
	Bin string
	// Partitions are the numbers of streams to divide the events among.
	Partitions []int
	// Rounds is how often each figure is measured, in turn with the others.
	Rounds int
	// Senders is how many requests are in flight.
	Senders int
	// Slice is how long events are published to the partitions for one figure.
	Slice time.Duration
	// Events is how many small snapshots are completed for one figure.
	Events int
}

// arrangement is a broker to compare with the others.
type arrangement struct {
	key, name string
	servers   int
	// partitions is the number of streams of the events, 0 without a mapping.
	partitions int
	// serverOf returns the index of the server for a stream. Nil leaves the choice to the broker.
	serverOf func(stream string) int
}

// partitionArrangements divide the events among streams, after a single stream without a mapping.
func partitionArrangements(numbers []int) []arrangement {
	all := []arrangement{{key: "whole", name: "no mapping", servers: 1}}
	for _, n := range numbers {
		all = append(all, arrangement{
			key: fmt.Sprintf("partitions-%d", n), name: fmt.Sprintf("partitions: %d", n),
			servers: 1, partitions: n,
		})
	}
	return all
}

// clusterSize is the number of servers of a cluster.
const clusterSize = 3

// placements put the streams, with one replica each, onto the servers of a cluster, after a server
// that stands alone.
var placements = []arrangement{
	{key: "alone", name: "one server", servers: 1},
	{
		key: "together", name: "three servers, all streams on one", servers: clusterSize,
		serverOf: func(string) int { return 0 },
	},
	{
		key: "apart", name: "three servers: events, completions and the rest apart",
		servers: clusterSize,
		serverOf: func(stream string) int {
			return 1 + slices.Index([]string{schema.EventsStream, schema.CompletionsStream}, stream)
		},
	},
}

// work is what the servers of an arrangement did for one figure.
type work struct {
	n    int
	took time.Duration
	// servers has the processor time of each server.
	servers []time.Duration
}

func (w work) perS() float64 { return float64(w.n) / w.took.Seconds() }

// micros is a time for one message, in microseconds.
func (w work) micros(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond) / float64(w.n)
}

// all and busiest are the processor time for one message, of all servers and of the busiest.
func (w work) all() (micros float64) {
	for _, d := range w.servers {
		micros += w.micros(d)
	}
	return micros
}

func (w work) busiest() float64 { return w.micros(slices.Max(w.servers)) }

// arranged is what was measured of an arrangement.
type arranged struct {
	arrangement

	works []work
}

// RunBrokers measures how events divide among streams, and streams among servers, and prints a
// table of each. All arrangements of a table stand at the same time and are measured in turn.
func RunBrokers(ctx context.Context, c BrokersConfig, stdout io.Writer) (err error) {
	config := Config{Bin: c.Bin, Rounds: c.Rounds, Senders: c.Senders, Events: c.Events}
	b, err := newBench(config, growthTopology(nil))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, stdout); err != nil {
		return err
	}
	for _, sync := range []string{syncLater, "always"} {
		var original sample
		measured, err := b.inArrangements(ctx, partitionArrangements(c.Partitions), sync,
			func(a arrangement, on *broker) (func() (work, error), error) {
				if a.partitions == 0 {
					var err error
					original, err = b.sampleEvent(ctx, on)
					if err != nil {
						return nil, err
					}
				}
				return b.publisher(ctx, c, a, on, original)
			})
		if err != nil {
			return fmt.Errorf("partitions, sync_interval %s: %w", sync, err)
		}
		reportBrokers(stdout, "events, sync_interval "+sync, measured)
	}
	// All servers of the machine share a disk, so that the other setting would say nothing.
	measured, err := b.inArrangements(ctx, placements, syncLater,
		func(_ arrangement, on *broker) (func() (work, error), error) {
			return b.completer(ctx, c, on)
		})
	if err != nil {
		return fmt.Errorf("servers: %w", err)
	}
	reportBrokers(stdout, "completions, sync_interval "+syncLater, measured)
	return nil
}

// inArrangements starts all arrangements, and measures each in every round. prepare returns the
// measurement of an arrangement.
func (b *bench) inArrangements(
	ctx context.Context, all []arrangement, sync string,
	prepare func(arrangement, *broker) (func() (work, error), error),
) (measured []arranged, err error) {
	before := len(b.undo)
	defer func() { err = errors.Join(err, b.stopTo(before)) }()
	var measure []func() (work, error)
	for _, a := range all {
		on, err := b.startArrangement(ctx, a, sync)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		one, err := prepare(a, on)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		measure = append(measure, one)
		measured = append(measured, arranged{arrangement: a})
	}
	for n := range b.config.Rounds + 1 {
		for i := range measure {
			at := (i + n) % len(measure) // each round begins with another arrangement
			got, err := measure[at]()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", measured[at].name, err)
			}
			if n > 0 { // the first round warms the machine up
				measured[at].works = append(measured[at].works, got)
			}
		}
	}
	return measured, nil
}

// mappingText divides the subjects of the events by their account among partitions.
const mappingText = `mappings {
  "%s": "%s{{partition(%d,4)}}.$1.$2.$3.$4"
}
`

// partitionSubject begins the subjects of the partitions.
const partitionSubject = "partition."

// startArrangement starts the servers of an arrangement and puts its streams where they belong.
func (b *bench) startArrangement(
	ctx context.Context, a arrangement, sync string,
) (*broker, error) {
	s := setting{key: a.key + "-" + sync, name: a.name, servers: a.servers, sync: sync}
	configs, err := natsConfigs(ctx, filepath.Join(b.dir, s.key), s)
	if err != nil {
		return nil, err
	}
	for i := range configs {
		configs[i].extra = fmt.Sprintf("server_tags: [%q]\n", configs[i].name)
		if a.partitions > 0 {
			from := schema.AccountEvents("*", "*", "*", "*")
			configs[i].extra += fmt.Sprintf(mappingText, from, partitionSubject, a.partitions)
		}
	}
	on, err := b.startServers(ctx, s, configs, 1)
	if err != nil {
		return nil, err
	}
	if a.partitions > 0 {
		if err := divideEvents(ctx, on.js, a.partitions); err != nil {
			return nil, err
		}
	}
	if a.serverOf == nil {
		return on, nil
	}
	return on, placeStreams(ctx, on.js, func(stream string) string {
		return configs[a.serverOf(stream)].name
	})
}

// divideEvents makes a stream for each partition, with the settings of the stream of the events.
func divideEvents(ctx context.Context, js jetstream.JetStream, partitions int) error {
	events, err := js.Stream(ctx, schema.EventsStream)
	if err != nil {
		return err
	}
	for i := range partitions {
		config := events.CachedInfo().Config
		config.Name = fmt.Sprintf("%s_%d", schema.EventsStream, i)
		config.Subjects = []string{fmt.Sprintf("%s%d.>", partitionSubject, i)}
		if _, err := js.CreateStream(ctx, config); err != nil {
			return err
		}
	}
	return nil
}

const (
	// movedFor is how long all streams may take to move.
	movedFor = 2 * time.Minute
	// lookEvery is the pause between two looks at a stream that moves.
	lookEvery = 50 * time.Millisecond
)

// placeStreams moves every stream to the server with the tag. It returns when all are there.
func placeStreams(
	ctx context.Context, js jetstream.JetStream, tagOf func(stream string) string,
) error {
	ctx, cancel := context.WithTimeout(ctx, movedFor)
	defer cancel()
	streams := js.ListStreams(ctx)
	var names []string
	for info := range streams.Info() {
		names = append(names, info.Config.Name)
	}
	if err := streams.Err(); err != nil {
		return err
	}
	for _, name := range names {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return err
		}
		config := s.CachedInfo().Config
		config.Placement = &jetstream.Placement{Tags: []string{tagOf(name)}}
		if _, err := js.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("place %s: %w", name, err)
		}
	}
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	for _, name := range names {
		for {
			s, err := js.Stream(ctx, name)
			if err == nil && isAt(s.CachedInfo().Cluster, tagOf(name)) {
				break
			}
			select {
			case <-ctx.Done():
				return errors.Join(fmt.Errorf("place %s: %w", name, ctx.Err()), err)
			case <-every.C:
			}
		}
	}
	return nil
}

// isAt reports whether a server leads a stream and has its only copy.
func isAt(c *jetstream.ClusterInfo, server string) bool {
	return c != nil && c.Leader == server && len(c.Replicas) == 0
}

// sampleEvent takes the sample of an event from a broker without a mapping.
func (b *bench) sampleEvent(ctx context.Context, on *broker) (sample, error) {
	filler, err := newFiller(on)
	if err != nil {
		return sample{}, err
	}
	defer filler.close()
	return filler.sampleEvent(ctx, b.stored)
}

// publishers is how many connections publish.
const publishers = 4

// publisher prepares to publish events to an arrangement. Each measurement takes Slice, and the
// streams must have gained what was answered.
func (b *bench) publisher(
	ctx context.Context, c BrokersConfig, a arrangement, on *broker, original sample,
) (func() (work, error), error) {
	var connections []jetstream.JetStream
	for range publishers {
		client, err := nats.Connect(on.url)
		if err != nil {
			return nil, err
		}
		b.undo = append(b.undo, func() error { client.Close(); return nil })
		js, err := jetstream.New(client)
		if err != nil {
			return nil, err
		}
		connections = append(connections, js)
	}
	return func() (work, error) {
		before, err := b.eventsOf(ctx, on, a)
		if err != nil {
			return work{}, err
		}
		copies := make([]*nats.Msg, requestsMax)
		ids := make([]string, requestsMax)
		for i := range copies {
			ids[i] = newID(original.event)
			copies[i] = original.copyWith(ids[i], newID(original.account))
		}
		got, err := on.meter(func() (int, time.Duration, error) {
			return b.runSenders(ctx, len(copies), c.Slice,
				func(ctx context.Context, sender, i int) error {
					id := jetstream.WithMsgID(ids[i])
					_, err := connections[sender%publishers].PublishMsg(ctx, copies[i], id)
					return err
				})
		})
		if err != nil {
			return got, err
		}
		after, err := b.eventsOf(ctx, on, a)
		if gained := after - before; err == nil && gained != got.n {
			err = fmt.Errorf("%d were answered, but the streams have gained %d", got.n, gained)
		}
		return got, err
	}, nil
}

// completer prepares to complete small snapshots with a line of ours.
func (b *bench) completer(
	ctx context.Context, c BrokersConfig, on *broker,
) (func() (work, error), error) {
	l, err := b.startOurs(ctx, on, workersOf(kinds[0].types))
	if err != nil {
		return nil, err
	}
	return func() (work, error) {
		return on.meter(func() (int, time.Duration, error) {
			f, err := b.complete(ctx, l, b.worked[0], c.Events)
			return f.n, f.took, err
		})
	}, nil
}

// eventsOf counts the events of an arrangement, in all streams.
func (b *bench) eventsOf(ctx context.Context, on *broker, a arrangement) (n int, err error) {
	streams := on.js.ListStreams(ctx)
	for info := range streams.Info() {
		isPartition := strings.HasPrefix(info.Config.Name, schema.EventsStream+"_")
		if isPartition || a.partitions == 0 && info.Config.Name == schema.EventsStream {
			n += int(info.State.Msgs)
		}
	}
	return n, streams.Err()
}

// meter measures a load, and meanwhile the processor time of each server. The time is 0 if the
// system does not count processor time.
func (on *broker) meter(load func() (int, time.Duration, error)) (w work, err error) {
	var before []time.Duration
	for _, server := range on.servers {
		used, _ := cpuUsed(server.pid())
		before = append(before, used)
	}
	w.n, w.took, err = load()
	for i, server := range on.servers {
		used, _ := cpuUsed(server.pid())
		w.servers = append(w.servers, used-before[i])
	}
	return w, err
}

// reportBrokers prints a table, as Markdown. The ratio is to the first arrangement, in each round.
func reportBrokers(w io.Writer, title string, measured []arranged) {
	fmt.Fprintf(w, "\n| %s | a second | ratio | processor time of all servers, µs for one | "+
		"of the busiest server |\n| --- | ---: | ---: | ---: | ---: |\n", title)
	for _, a := range measured {
		var ratios []float64
		for i, one := range a.works {
			ratios = append(ratios, one.perS()/measured[0].works[i].perS())
		}
		fmt.Fprintf(w, "| %s | %.0f | %s | %.0f | %.0f |\n", a.name,
			a.median(work.perS), spreadOf(ratios).asRatio(),
			a.median(work.all), a.median(work.busiest))
	}
}

func (a arranged) median(of func(work) float64) float64 {
	var values []float64
	for _, one := range a.works {
		values = append(values, of(one))
	}
	return spreadOf(values).median
}
