package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/limit"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	replicasMax = 5 // the most copies that JetStream keeps
	// retriesFor is how long a worker may retry an event. A redelivery until then must find
	// the completion.
	retriesFor = 3 * day
	// shrinkAll is the word of --shrink for every stream.
	shrinkAll = "all"
)

// Flags and variables of a wish.
const (
	flagReplicas = "replicas"
	flagMaxBytes = "max-bytes"
	flagMaxMsgs  = "max-messages"
	flagMaxAge   = "max-age"

	variableReplicas = "STREAM_REPLICAS"
	variableMaxBytes = "STREAM_MAX_BYTES"
	variableMaxMsgs  = "STREAM_MAX_MESSAGES"
	variableMaxAge   = "STREAM_MAX_AGE"
)

// wish is what the command line asks of the streams. The environment has the rest.
type wish struct {
	// replicas is 0 without the flag.
	replicas int
	// sizes, counts and ages have STREAM=VALUE for each flag.
	sizes, counts, ages []string
	// shrink names the streams that may get less than they have.
	shrink []string
	// counted names the streams with a wished number of messages, after topology.
	counted []string
}

func (w *wish) addFlags(cmd *cobra.Command) {
	w.addLimits(cmd)
	w.addShrink(cmd)
}

// addLimits adds the flags for copies, sizes and ages.
func (w *wish) addLimits(cmd *cobra.Command) {
	flags := cmd.Flags()
	addParsed(flags, &w.replicas, flagReplicas, "int", "1", "copies of every stream in a cluster",
		parseNumber(1, replicasMax))
	trial := schema.DefaultTopology()
	addLimit := func(texts *[]string, name, usage string, set setLimit) {
		flags.Func(name, usage, func(text string) error {
			*texts = append(*texts, text)
			_, err := assign(&trial, text, set)
			return err
		})
	}
	addLimit(&w.sizes, flagMaxBytes,
		"`stream=size`: most bytes of a stream, which NATS reserves: 4GiB, 512MiB; repeatable",
		setBytes)
	addLimit(&w.counts, flagMaxMsgs,
		"`stream=number`: most messages of a stream, for which NATS needs memory; repeatable "+
			"(grows with --max-bytes)",
		setMessages)
	addLimit(&w.ages, flagMaxAge,
		"`stream=duration`: how long a stream keeps a message: 14d, 336h, 0 for ever; repeatable",
		setAge)
}

func (w *wish) addShrink(cmd *cobra.Command) {
	flags := cmd.Flags()
	trial := schema.DefaultTopology()
	known := append(namesOf(limitsOf(&trial)), shrinkAll)
	flags.Func("shrink", "`stream` that may get less than it has, or all; repeatable",
		func(name string) error {
			if !slices.Contains(known, name) {
				return notAmong(name, known)
			}
			w.shrink = append(w.shrink, name)
			return nil
		})
	completeFrom(cmd, "shrink", known)
}

// addEnvironment adds the variables of a wish to the help.
func (w *wish) addEnvironment(cmd *cobra.Command) {
	var text strings.Builder
	process.PrintVariables(&text, process.Variables(limit.Config{}))
	command.AddSection(cmd, "Environment, for what no flag says", text.String())
}

// topology returns the default topology with the limits of the environment, and over them those of
// the flags.
func (w *wish) topology(getenv func(string) string) (schema.Topology, error) {
	topology := schema.DefaultTopology()
	var config limit.Config
	if err := process.ReadConfig(getenv, &config); err != nil {
		return topology, err
	}
	if config.Replicas < 1 || config.Replicas > replicasMax {
		return topology, fmt.Errorf("%s: %d is not a number from 1 to %d", variableReplicas,
			config.Replicas, replicasMax)
	}
	topology.Replicas = config.Replicas
	if w.replicas > 0 {
		topology.Replicas = w.replicas
	}
	for _, l := range []struct {
		variable, value, flag string
		flags                 []string
		set                   setLimit
	}{
		{variableMaxBytes, config.MaxBytes, flagMaxBytes, w.sizes, setBytes},
		{variableMaxMsgs, config.MaxMessages, flagMaxMsgs, w.counts, setMessages},
		{variableMaxAge, config.MaxAge, flagMaxAge, w.ages, setAge},
	} {
		if err := assignList(&topology, l.value, l.set); err != nil {
			return topology, fmt.Errorf("%s: %w", l.variable, err)
		}
		for _, text := range l.flags {
			if _, err := assign(&topology, text, l.set); err != nil {
				return topology, fmt.Errorf("--%s: %w", l.flag, err)
			}
		}
	}
	w.counted = namesIn(append(strings.Split(config.MaxMessages, ","), w.counts...))
	w.scaleMessages(&topology)
	return topology, nil
}

// namesIn returns the streams of texts STREAM=VALUE.
func namesIn(texts []string) []string {
	var names []string
	for _, text := range texts {
		name, _, _ := strings.Cut(strings.TrimSpace(text), "=")
		names = append(names, name)
	}
	return names
}

// scaleMessages raises the limit of messages of each stream with more bytes than its default, in
// the same proportion: room for bytes alone would not be used. A wished number of messages stays.
func (w *wish) scaleMessages(topology *schema.Topology) {
	for i, usual := range schema.DefaultTopology().Streams {
		s := &topology.Streams[i]
		isLarger := s.MaxBytes > usual.MaxBytes
		if usual.MaxMessages > 0 && isLarger && !slices.Contains(w.counted, s.Name) {
			share := float64(s.MaxBytes) / float64(usual.MaxBytes)
			s.MaxMessages = int64(share * float64(usual.MaxMessages))
		}
	}
}

// keeps reports whether a stream keeps what it has more than wished. --shrink takes it away, and a
// wished number of messages is the first limit of a stream that has none.
func (w *wish) keeps(k stream.Kept) bool {
	isFirst := k.Setting == stream.SettingMessages && k.Have == 0
	if isFirst && slices.Contains(w.counted, k.Name) {
		return false
	}
	return !w.shrinks(k.Name)
}

// setLimit sets a limit of a stream from its text.
type setLimit func(limits *schema.Stream, value string) error

func setBytes(limits *schema.Stream, value string) (err error) {
	if limits.MaxBytes == 0 {
		return fmt.Errorf("%s has no limit of bytes: at a limit, it would lose its oldest messages",
			limits.Name)
	}
	limits.MaxBytes, err = parseSize(value)
	return err
}

func setMessages(limits *schema.Stream, value string) (err error) {
	if limits.MaxMessages == 0 {
		return fmt.Errorf("%s has no limit of messages", limits.Name)
	}
	limits.MaxMessages, err = strconv.ParseInt(value, 10, 64)
	if err != nil || limits.MaxMessages < 1 {
		return fmt.Errorf("%q is no number of messages over 0", value)
	}
	return nil
}

func setAge(limits *schema.Stream, value string) (err error) {
	switch limits.Name {
	case schema.ClosuresStream:
		return fmt.Errorf("%s has no age: each of its messages has an end of its own", limits.Name)
	case schema.AccountsStream:
		return fmt.Errorf("%s has no age: the state of an account stays as long as the account",
			limits.Name)
	}
	limits.MaxAge, err = plain.ParseAge(value)
	return err
}

// assignList sets the limits of a list STREAM=VALUE,STREAM=VALUE.
func assignList(topology *schema.Topology, list string, set setLimit) error {
	if list == "" {
		return nil
	}
	var named []string
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		name, err := assign(topology, text, set)
		if err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
		if slices.Contains(named, name) {
			return fmt.Errorf("%s stands there twice", name)
		}
		named = append(named, name)
	}
	return nil
}

// assign sets a limit by STREAM=VALUE and returns the name of the stream.
func assign(topology *schema.Topology, text string, set setLimit) (name string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return "", fmt.Errorf("write STREAM=VALUE, such as %s=…", schema.EventsStream)
	}
	all := limitsOf(topology)
	for _, s := range all {
		if s.Name != name {
			continue
		}
		if err := set(s, value); err != nil {
			return name, err
		}
		return name, nil
	}
	return name, fmt.Errorf("stream %s: %w", name, notAmong(name, namesOf(all)))
}

// limitsOf returns everything with a size and an age: the streams and the object store.
func limitsOf(t *schema.Topology) []*schema.Stream {
	var limits []*schema.Stream
	for i := range t.Streams {
		limits = append(limits, &t.Streams[i])
	}
	return append(limits, &t.Records)
}

// ageRules say which stream must keep its messages longer than another, and by how much.
var ageRules = []struct {
	long, short string
	by          time.Duration
	why         string
}{
	{
		schema.CompletionsStream, schema.EventsStream, retriesFor,
		"or a late redelivery is completed a second time",
	},
	{
		schema.RecordsBucket, schema.CompletionsStream, 0,
		"or a completion points to deleted records",
	},
}

// checkAges refuses ages of streams that the workers cannot work with, or that the broker would
// refuse less clearly.
func (w *wish) checkAges(topology schema.Topology) error {
	ages := map[string]time.Duration{}
	for _, s := range limitsOf(&topology) {
		ages[s.Name] = s.MaxAge
		if s.MaxAge > 0 && s.MaxAge < s.Duplicates {
			return command.UsageError("%s: %s must keep messages %s at least, to know duplicates",
				w.sayAge(), s.Name, plain.Age(s.Duplicates))
		}
	}
	for _, rule := range ageRules {
		long := ages[rule.long]
		short := ages[rule.short]
		if long == 0 || short > 0 && long >= short+rule.by {
			continue
		}
		least := "0, for ever"
		if short > 0 {
			least = plain.Age(short+rule.by) + " at least"
		}
		return command.UsageError("%s: with %s at %s, %s must be kept %s, %s", w.sayAge(),
			rule.short, plain.Age(short), rule.long, least, rule.why)
	}
	return nil
}

// sayAge names what sets the ages: the flag or the variable.
func (w *wish) sayAge() string {
	if len(w.ages) > 0 {
		return "--" + flagMaxAge
	}
	return variableMaxAge
}

// shrinks reports whether a stream may get less than it has. The streams of waiting events have
// the limits of the events stream.
func (w *wish) shrinks(name string) bool {
	if schema.IsWaitingStream(name) {
		name = schema.EventsStream
	}
	return slices.Contains(w.shrink, name) || slices.Contains(w.shrink, shrinkAll)
}

// checkKept checks the ages that streams will have. If a stream got its age by other means,
// provision warns and goes on: without --shrink, nothing gets worse.
func (w *wish) checkKept(s session, topology schema.Topology, kept []stream.Kept) error {
	topology.Streams = slices.Clone(topology.Streams)
	for _, limits := range limitsOf(&topology) {
		for _, k := range kept {
			if k.Name == limits.Name && k.Setting == stream.SettingAge {
				limits.MaxAge = time.Duration(k.Have)
			}
		}
	}
	err := w.checkAges(topology)
	if err != nil && len(w.shrink) == 0 {
		fmt.Fprintf(s.stderr, "warning: %s\n", err)
		return nil
	}
	return err
}

// printKept prints a line for each setting that a stream keeps. A stream of waiting events has no
// line if the events stream keeps the same setting.
func printKept(w io.Writer, kept []stream.Kept) {
	events := map[stream.Setting]bool{}
	for _, k := range kept {
		if k.Name == schema.EventsStream {
			events[k.Setting] = true
		}
	}
	for _, k := range kept {
		if schema.IsWaitingStream(k.Name) && events[k.Setting] {
			continue
		}
		fmt.Fprintf(w, "= %s keeps %s: --shrink changes it\n", k.What, formatKept(k))
	}
}

// formatKept says how much a stream keeps, and how much was wished.
func formatKept(k stream.Kept) string {
	switch k.Setting {
	case stream.SettingBytes:
		has := "any number of bytes"
		if k.Have > 0 {
			has = plain.Size(k.Have)
		}
		return fmt.Sprintf("%s, more than the wished %s", has, plain.Size(k.Want))
	case stream.SettingMessages:
		has := "any number of"
		if k.Have > 0 {
			has = fmt.Sprint(k.Have)
		}
		return fmt.Sprintf("%s messages, more than the wished %d", has, k.Want)
	case stream.SettingAge:
		has := "for ever"
		if k.Have > 0 {
			has = plain.Age(time.Duration(k.Have))
		}
		return fmt.Sprintf("messages %s, longer than the wished %s", has,
			plain.Age(time.Duration(k.Want)))
	default:
		return fmt.Sprintf("%d copies, more than the wished %d", k.Have, k.Want)
	}
}

// namesOf returns the names of streams.
func namesOf(streams []*schema.Stream) []string {
	names := make([]string, len(streams))
	for i, s := range streams {
		names[i] = s.Name
	}
	return names
}
