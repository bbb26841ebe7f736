package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/limit"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// State is what is known of an installation at a time: what the broker holds, and what the
// processes report. Findings judges it.
type State struct {
	At time.Time `json:"at"`
	// Away says why the broker does not answer, "" if it does. All else is then unknown.
	Away string `json:"away,omitempty"`
	// NotStoring says why the broker does not store, "" if it does.
	NotStoring string `json:"not_storing,omitempty"`
	// Missing has the streams and queues that do not exist.
	Missing []string `json:"missing"`
	// NATSMemory is how much memory a server of NATS may use, in bytes, 0 if nobody knows. Needed
	// is what the messages of the streams need, by limit.Memory.
	NATSMemory  uint64                `json:"nats_memory,omitzero"`
	Needed      uint64                `json:"nats_memory_needed,omitzero"`
	Streams     []stream.Level        `json:"streams"`
	Queues      []stream.QueueStatus  `json:"queues"`
	Budgets     []stream.BudgetStatus `json:"budgets"`
	DeadLetters []DeadCount           `json:"dead_letters"`
	// Unread are the webhooks in quarantine.
	Unread []UnreadCount `json:"unread"`
	// Exhausted counts the events whose deliveries ran out within the last hour.
	Exhausted uint64           `json:"exhausted"`
	Durables  []stream.Durable `json:"-"`
	Providers []ProviderState  `json:"providers"`
	Processes []RoleState      `json:"processes"`
}

// DeadCount is how many dead letters a queue has of a class, and when the oldest of them was made.
type DeadCount struct {
	Queue  string       `json:"queue"`
	Class  schema.Class `json:"class"`
	Count  int          `json:"count"`
	Oldest time.Time    `json:"oldest,omitzero"`
}

// UnreadCount is how many webhooks of a provider are in quarantine for a reason.
type UnreadCount struct {
	Provider schema.Provider         `json:"provider"`
	Reason   schema.QuarantineReason `json:"reason"`
	Count    int                     `json:"count"`
	Oldest   time.Time               `json:"oldest,omitzero"`
}

// ProviderState is what is known of a provider, over all processes.
type ProviderState struct {
	Provider schema.Provider `json:"provider"`
	schema.ProviderReport
	// LastWebhook is when the last verified webhook came, zero if nobody knows.
	LastWebhook time.Time `json:"last_webhook,omitzero"`
	// SilentAfter is the configured limit of the time without a webhook, 0 if there is none.
	SilentAfter time.Duration `json:"-"`
	// Silence says how unusual the time without a webhook is, nil if it is not.
	Silence *Silence `json:"silence,omitempty"`
}

// Silence is a time without webhooks that is longer than usual.
type Silence struct {
	// Limit is the configured limit that the silence is over, 0 if there is none.
	Limit time.Duration `json:"-"`
	// Usual is the least number of webhooks that came on any of the last days in as long a time, at
	// the same time of day.
	Usual uint64 `json:"usual"`
}

// RoleState is the processes of a role.
type RoleState struct {
	Role string `json:"role"`
	// Running is the number of processes that have reported of late.
	Running int `json:"running"`
	// Seen is when a process of the role last reported.
	Seen time.Time `json:"seen"`
	// Lost is the number of processes whose reports ended without a stop, within the last hour.
	Lost int `json:"lost"`
	// Crashed is the number of the lost processes that lived for less than CrashWithin, and ended
	// within CrashWithin. It is 0 if a process that started after the last of them is steady: this
	// process has run for longer than SteadyAfter, and for longer than each of them.
	Crashed int `json:"crashed"`
	// Versions are the different versions that run.
	Versions []string `json:"versions"`
}

// Limits of the judgement.
const (
	// CrashWithin is the time in which CrashesMax processes of a role may end without a stop.
	CrashWithin = 15 * time.Minute
	CrashesMax  = 2
	// SteadyAfter is the least time that a process must run to end a series of crashes. The end of
	// a process is known only schema.ReportLateAfter later, so a finding lasts as long again.
	SteadyAfter = 2 * schema.ReportLateAfter
	// lostFor is how long a lost process is told of.
	lostFor = time.Hour
	// SilenceMin is the shortest time without a webhook that can be unusual.
	SilenceMin = 30 * time.Minute
	// silenceDays is how many days before are compared, and usualMin how many webhooks must have
	// come on each of them.
	silenceDays = 7
	usualMin    = 5
	// exhaustedFor is how long an event whose deliveries ran out is told of.
	exhaustedFor = time.Hour
)

// Read reads the state of an installation. After an error, Unknown makes a state of the error.
func Read(ctx context.Context, op *stream.Operator, c Config) (State, error) {
	s := State{At: time.Now().UTC(), NATSMemory: c.NATSMemory}
	err := s.read(ctx, op, c)
	return s, err
}

// Unknown is the state of an installation whose broker could not be read, and why.
func Unknown(err error) State { return State{At: time.Now().UTC(), Away: err.Error()} }

func (s *State) read(ctx context.Context, op *stream.Operator, c Config) error {
	if err := op.Connected(); err != nil {
		return err
	}
	streams, queues, err := op.Status(ctx)
	if err != nil {
		return err
	}
	s.Streams = append([]stream.Level{}, streams...) // [] in JSON, and not null
	s.Queues = append([]stream.QueueStatus{}, queues...)
	var messages uint64
	for _, l := range s.Streams {
		messages += l.Messages
	}
	s.Needed = limit.Memory(messages)
	s.findMissing()
	budgets, err := op.Budgets(ctx)
	if err = exceptMissing(err); err != nil {
		return err
	}
	s.Budgets = append([]stream.BudgetStatus{}, budgets...)
	if err := s.countLetters(ctx, op); err != nil {
		return err
	}
	if err := s.countUnread(ctx, op); err != nil {
		return err
	}
	s.Durables, err = op.Durables(ctx)
	if err = exceptMissing(err); err != nil {
		return err
	}
	s.Exhausted, err = op.CountExhausted(ctx, s.At.Add(-exhaustedFor))
	if err = exceptMissing(err); err != nil {
		return err
	}
	reports, err := op.Reports(ctx)
	if err != nil {
		return err
	}
	s.Processes = rolesOf(reports, s.At)
	if err := s.readProviders(ctx, op, c, reports); err != nil {
		return err
	}
	err = op.Stores(ctx)
	if err != nil && !errors.Is(err, stream.ErrNoReports) {
		s.NotStoring = err.Error()
	}
	return nil
}

// exceptMissing returns nil for a missing stream or queue, which is among State.Missing.
func exceptMissing(err error) error {
	if errors.Is(err, stream.ErrNoQueue) {
		return nil
	}
	return err
}

func (s *State) findMissing() {
	found := map[string]bool{}
	for _, level := range s.Streams {
		found[strings.TrimPrefix(level.Name, "OBJ_")] = true // the stream of the object store
	}
	for _, q := range s.Queues {
		found[q.Name] = true
	}
	s.Missing = []string{}
	for _, name := range wanted() {
		if !found[name] {
			s.Missing = append(s.Missing, name)
		}
	}
}

// wanted are the names of everything that must be there. A queue without its stream of waiting
// events counts as missing itself.
func wanted() []string {
	topology := schema.DefaultTopology()
	var names []string
	for _, s := range topology.Streams {
		names = append(names, s.Name)
	}
	names = append(names, topology.Records.Name)
	for _, q := range topology.Queues {
		names = append(names, q.Name)
	}
	return names
}

func (s *State) countLetters(ctx context.Context, op *stream.Operator) error {
	s.DeadLetters = []DeadCount{} // [] in JSON, and not null
	counted := map[string]int{}
	isCut, err := scanHeaders(ctx, op, schema.DeadLettersStream, func(m stream.Stored) {
		l := stream.ReadLetter(m)
		first := DeadCount{Queue: l.Queue, Class: l.Class, Oldest: m.At}
		countIn(&s.DeadLetters, first, DeadCount.compare).Count++
		counted[l.Queue]++
	})
	if err != nil || !isCut {
		return err
	}
	for _, q := range schema.Queues() {
		filter := schema.DeadLetterSubject(q.Name, "*")
		left, err := countLeft(ctx, op, schema.DeadLettersStream, filter, counted[q.Name])
		if err != nil {
			return err
		}
		if left > 0 {
			s.DeadLetters = append(s.DeadLetters,
				DeadCount{Queue: q.Name, Class: stream.ClassUnread, Count: left})
		}
	}
	return nil
}

// ReasonUnread stands for the reasons of the webhooks in quarantine beyond readMax.
const ReasonUnread schema.QuarantineReason = "unread"

func (s *State) countUnread(ctx context.Context, op *stream.Operator) error {
	s.Unread = []UnreadCount{} // [] in JSON, and not null
	counted := map[schema.Provider]int{}
	isCut, err := scanHeaders(ctx, op, schema.QuarantineStream, func(m stream.Stored) {
		u := stream.ReadUnread(m)
		first := UnreadCount{Provider: u.Provider, Reason: u.Reason, Oldest: m.At}
		countIn(&s.Unread, first, UnreadCount.compare).Count++
		counted[u.Provider]++
	})
	if err != nil || !isCut {
		return err
	}
	for _, p := range schema.Providers() {
		filter := schema.QuarantineSubject(p)
		left, err := countLeft(ctx, op, schema.QuarantineStream, filter, counted[p])
		if err != nil {
			return err
		}
		if left > 0 {
			s.Unread = append(s.Unread, UnreadCount{Provider: p, Reason: ReasonUnread, Count: left})
		}
	}
	return nil
}

// countIn returns the count of the same kind in a sorted list. If there is none, first is added.
func countIn[C any](sorted *[]C, first C, compare func(C, C) int) *C {
	place, found := slices.BinarySearchFunc(*sorted, first, compare)
	if !found {
		*sorted = slices.Insert(*sorted, place, first)
	}
	return &(*sorted)[place]
}

func (c DeadCount) compare(other DeadCount) int {
	return cmp.Or(cmp.Compare(c.Queue, other.Queue), cmp.Compare(c.Class, other.Class))
}

func (c UnreadCount) compare(other UnreadCount) int {
	return cmp.Or(cmp.Compare(c.Provider, other.Provider), cmp.Compare(c.Reason, other.Reason))
}

// readMax is how many dead letters, and webhooks in quarantine, Read looks at: the oldest. It only
// counts the others, because somebody looks every few seconds.
const readMax = 20_000

var errEnough = errors.New("enough is read")

// scanHeaders reads the headers of the messages of a stream, oldest first, and readMax of them at
// most. isCut is true if there are more. A missing stream has none.
func scanHeaders(
	ctx context.Context, op *stream.Operator, name string, each func(stream.Stored),
) (isCut bool, err error) {
	headers := stream.Selection{HeadersOnly: true}
	read := 0
	err = op.Scan(ctx, name, headers, func(m stream.Stored) error {
		if read == readMax {
			return errEnough
		}
		read++
		each(m)
		return nil
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, exceptMissing(err)
}

// countLeft counts the messages that match the filter, without those that are counted already.
func countLeft(
	ctx context.Context, op *stream.Operator, name, filter string, counted int,
) (int, error) {
	all, err := op.CountSince(ctx, name, filter, time.Time{})
	return max(0, int(all)-counted), err
}

// rolesOf sums up the reports of each role, in the order of the roles. The reports of the
// operator's own processes count nothing: they come and go with commands.
func rolesOf(reports []schema.Report, now time.Time) []RoleState {
	byRole := map[string][]schema.Report{}
	for _, r := range reports {
		if r.Role != stream.RoleOperator {
			byRole[r.Role] = append(byRole[r.Role], r)
		}
	}
	roles := []RoleState{}
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		roles = append(roles, roleStateOf(role, byRole[role], now))
	}
	return roles
}

// roleStateOf sums up the reports of a role.
func roleStateOf(role string, reports []schema.Report, now time.Time) RoleState {
	s := RoleState{Role: role, Versions: []string{}}
	var crashed, running []schema.Report
	for _, r := range reports {
		silent := now.Sub(r.At)
		s.Seen = later(s.Seen, r.At)
		switch {
		case r.Stopped, silent > lostFor:
		case silent <= schema.ReportLateAfter:
			running = append(running, r)
			if !slices.Contains(s.Versions, r.Version) {
				s.Versions = append(s.Versions, r.Version)
			}
		default:
			s.Lost++
			if silent <= CrashWithin && r.At.Sub(r.Started) < CrashWithin {
				crashed = append(crashed, r)
			}
		}
	}
	slices.Sort(s.Versions)
	s.Running = len(running)
	if !isSteady(running, crashed) {
		s.Crashed = len(crashed)
	}
	return s
}

// isSteady reports whether one of the running processes ends a series of crashes: it started after
// the last of them, and has outlived each, by SteadyAfter at the least.
func isSteady(running, crashed []schema.Report) bool {
	var end time.Time
	outlive := SteadyAfter
	for _, c := range crashed {
		end = later(end, c.At)
		outlive = max(outlive, c.At.Sub(c.Started))
	}
	return slices.ContainsFunc(running, func(r schema.Report) bool {
		return r.Started.After(end) && r.At.Sub(r.Started) > outlive
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *State) readProviders(
	ctx context.Context, op *stream.Operator, c Config, reports []schema.Report,
) error {
	s.Providers = []ProviderState{}
	for _, p := range schema.Providers() {
		state := ProviderState{Provider: p, SilentAfter: c.SilentAfter[p]}
		for _, r := range reports {
			if s.At.Sub(r.At) <= schema.ReportLateAfter {
				state.add(r.Providers[p])
			}
		}
		if err := state.listen(ctx, op, s.At); err != nil {
			return fmt.Errorf("look for the webhooks of %s: %w", p, err)
		}
		s.Providers = append(s.Providers, state)
	}
	return nil
}

// add adds the report of a process.
func (s *ProviderState) add(r schema.ProviderReport) {
	isLatest := r.Calls.LastFailed.After(s.Calls.LastFailed)
	if isLatest {
		s.Status = r.Status
		s.Endpoint = r.Endpoint
	}
	if r.Dates.LastFailed.After(s.Dates.LastFailed) {
		s.SkewS = r.SkewS
	}
	s.Signatures = s.Signatures.Add(r.Signatures)
	s.Stored = s.Stored.Add(r.Stored)
	s.Dates = s.Dates.Add(r.Dates)
	s.Calls = s.Calls.Add(r.Calls)
}

// listen finds out when the last webhook came, and whether that is unusually long ago.
func (s *ProviderState) listen(
	ctx context.Context, op *stream.Operator, now time.Time,
) error {
	last, err := op.LastWebhook(ctx, s.Provider)
	if err != nil {
		return err
	}
	if s.Signatures.LastOK.After(last) {
		last = s.Signatures.LastOK
	}
	s.LastWebhook = last
	if last.IsZero() {
		return nil
	}
	silent := now.Sub(last)
	if s.SilentAfter > 0 {
		if silent > s.SilentAfter {
			s.Silence = &Silence{Limit: s.SilentAfter}
		}
		return nil
	}
	if silent < SilenceMin {
		return nil
	}
	usual, err := usualIn(ctx, op, s.Provider, silent, now)
	if err != nil || usual < usualMin {
		return err
	}
	s.Silence = &Silence{Usual: usual}
	return nil
}

// usualIn returns the least number of events that came on any of the last days in as long a time as
// the silence, at the same time of day: nights and weekends are quieter. It returns 0 if the stream
// does not reach so far back.
func usualIn(
	ctx context.Context, op *stream.Operator, p schema.Provider,
	silence time.Duration, now time.Time,
) (least uint64, err error) {
	const day = 24 * time.Hour
	first, err := op.FirstEvent(ctx, p)
	if err != nil || first.IsZero() || now.Sub(first) < silenceDays*day+silence {
		return 0, err
	}
	filter := schema.ProviderEvents(p)
	for n := 1; n <= silenceDays; n++ {
		end := now.Add(-time.Duration(n) * day)
		until, err := op.CountSince(ctx, schema.EventsStream, filter, end.Add(-silence))
		if err != nil {
			return 0, err
		}
		after, err := op.CountSince(ctx, schema.EventsStream, filter, end)
		if err != nil {
			return 0, err
		}
		came := until - min(after, until)
		if n == 1 || came < least {
			least = came
		}
		if least < usualMin {
			return least, nil
		}
	}
	return least, nil
}
