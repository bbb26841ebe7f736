package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/fetch"
)

// Thresholds of the findings.
const (
	// FullShare is the filled share of a stream from which on it counts as full. Ingress is not
	// ready from there on.
	FullShare = 0.95
	// MemoryShare is the share of the memory of a server of NATS from which on it is a finding.
	// Below it, the streams with their default limits have room.
	MemoryShare = 0.8
	// FillsWithin is the time within which a stream must be full to be a finding.
	FillsWithin = 7 * 24 * time.Hour
	// InARowMin is the least number of failures in a row, of calls or of signatures, that is no
	// chance.
	InARowMin = 5
	// FailedMin and FailedShare are how many of the recent calls must have failed, if some succeed.
	FailedMin   = 10
	FailedShare = 0.5
	// FailedWithin is how recent the last failure must be.
	FailedWithin = 45 * time.Second
	// SkewedMin is the least number of webhooks in a row that are dated far from our clock.
	SkewedMin = 2
	// UnfinishedAfter is how long an event may be ready.
	UnfinishedAfter = 5 * time.Minute
	// UnservedAfter is how long an event may be ready without any process of its worker. An
	// autoscaler may start the first one.
	UnservedAfter = 2 * time.Minute
	// AbsentFor is how long a role may have no process, as while the only one is replaced.
	AbsentFor = 30 * time.Second
	// RowWithin is how recent the last failure in a row must be. In an outage with few events, the
	// tries are minutes apart.
	RowWithin = 15 * time.Minute
	// MismatchFor is how long the signatures of webhooks must not fit. A burst of forged requests
	// is shorter.
	MismatchFor = 20 * time.Second
	// SkewedWithin is how recent the last date far from our clock must be.
	SkewedWithin = time.Hour
	// HeldAfter is how long a hold may be that nobody is told of.
	HeldAfter = time.Minute
	// LossWithin is the time before a team loses a completion from which on the team is behind. If
	// completions are kept for less than three weeks, it is a third of that time: LossShare.
	LossWithin = 7 * 24 * time.Hour
	LossShare  = 3
)

// Finding is one thing that is wrong.
type Finding struct {
	Name     Name     `json:"finding"`
	Severity Severity `json:"severity"`
	// About is the provider, queue, stream, role or team, "" if the finding is about everything.
	About string `json:"about,omitempty"`
	// Text is a sentence without a full stop. It has no data of a person.
	Text string `json:"text"`
	// Do is what to do next.
	Do string `json:"do"`
}

// String is the line of the finding: "BAD  pinwheel refuses our API key since 22:02Z: replace …
// (wagewire explain refused-credentials)".
func (f Finding) String() string {
	return fmt.Sprintf("%-4s  %s: %s (wagewire explain %s)",
		strings.ToUpper(string(f.Severity)), f.Text, f.Do, f.Name)
}

// Findings returns what is wrong, the most urgent first.
func (s State) Findings() []Finding {
	if s.Away != "" {
		return []Finding{s.finding(BrokerAway, "", "see whether NATS runs, and its log",
			"wagewire cannot read NATS: %s", s.Away)}
	}
	var found []Finding
	for _, find := range []func(State) []Finding{
		State.findBroker, State.findMemory, State.findStreams, State.findRefusals,
		State.findQueues,
		State.findProviders, State.findProcesses, State.findTeams, State.findLeftovers,
	} {
		found = append(found, find(s)...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Compare(rank(a.Name), rank(b.Name))
	})
	return found
}

// rank is the place of a kind among all kinds.
func rank(n Name) int {
	return slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == n })
}

func (s State) finding(n Name, about, do, text string, args ...any) Finding {
	return Finding{
		Name: n, Severity: kinds[rank(n)].Severity, About: about, Do: do,
		Text: fmt.Sprintf(text, args...),
	}
}

func (s State) findBroker() []Finding {
	var found []Finding
	if len(s.Missing) > 0 {
		found = append(found, s.finding(NotProvisioned, "", "run wagewire provision apply",
			"not there: %s", strings.Join(s.Missing, ", ")))
	}
	if s.NotStoring != "" {
		found = append(found, s.finding(BrokerNotStoring, "",
			"see the log of NATS and the room on its volume, then restart it",
			"NATS stores nothing: %s", s.NotStoring))
	}
	for _, p := range s.Providers {
		lately := s.At.Sub(p.Stored.LastFailed) <= FailedWithin
		if s.NotStoring == "" && p.Stored.InARow >= SkewedMin && lately && !s.isFull() {
			found = append(found, s.finding(BrokerNotStoring, string(p.Provider),
				"see the log of NATS and the room on its volume, then restart it",
				"NATS stores no webhooks of %s since %s", p.Provider, s.clock(p.Stored.Since)))
		}
	}
	return found
}

// isFull reports whether the stream of the events is full.
func (s State) isFull() bool {
	return slices.ContainsFunc(s.Streams, func(l stream.Level) bool {
		return l.Name == schema.EventsStream && Fullness(l) >= FullShare
	})
}

// Fullness is the filled share of a stream: of its bytes or of its messages, whichever is more. It
// is 0 without a limit.
func Fullness(l stream.Level) float64 { return max(bytesShare(l), messagesShare(l)) }

func bytesShare(l stream.Level) float64 { return share(l.Bytes, l.BytesMax) }

func messagesShare(l stream.Level) float64 { return share(l.Messages, l.MessagesMax) }

func share(has uint64, most int64) float64 {
	if most <= 0 {
		return 0
	}
	return float64(has) / float64(most)
}

func (s State) findMemory() []Finding {
	if s.NATSMemory == 0 || float64(s.Needed) < MemoryShare*float64(s.NATSMemory) {
		return nil
	}
	return []Finding{s.finding(BrokerMemory, "", "give NATS more memory, or keep fewer messages",
		"the messages that NATS keeps need %s of its %s of memory",
		units.BytesSize(float64(s.Needed)), units.BytesSize(float64(s.NATSMemory)))}
}

func (s State) findStreams() []Finding {
	var found []Finding
	for _, l := range s.Streams {
		if len(l.Behind) > 0 {
			found = append(found, s.finding(ReplicaBehind, l.Name, "see the servers of NATS",
				"stream %s has no full copy on %s", l.Name, strings.Join(l.Behind, ", ")))
		}
		left, fills := fullIn(l, s.At)
		switch {
		case Fullness(l) >= FullShare:
			found = append(found, s.finding(StreamFull, l.Name,
				enlarge(l, messagesShare(l) > bytesShare(l)),
				"stream %s is %.0f %% full", l.Name, 100*Fullness(l)))
		case fills && left <= FillsWithin:
			bytes, fillsBytes := bytesFullIn(l, s.At)
			found = append(found, s.finding(StreamFilling, l.Name,
				enlarge(l, !fillsBytes || left < bytes),
				"stream %s is full in %s at the present rate", l.Name, rough(left)))
		}
	}
	return found
}

// enlarge is the command that doubles a limit of a stream: that of its messages, or of its bytes.
func enlarge(l stream.Level, messages bool) string {
	if messages {
		return fmt.Sprintf("wagewire provision apply --max-messages %s=%d, if NATS has the memory",
			l.Name, 2*l.MessagesMax)
	}
	return fmt.Sprintf("wagewire provision apply --max-bytes %s=%s",
		strings.TrimPrefix(l.Name, "OBJ_"), units.BytesSize(2*float64(l.BytesMax)))
}

func (s State) findQueues() []Finding {
	var found []Finding
	for _, q := range s.Queues {
		ready := time.Duration(0)
		if !q.Oldest.IsZero() && q.Ready > 0 {
			ready = s.At.Sub(q.Oldest)
		}
		role := roleOf(q.Name)
		switch {
		case q.Refusal != nil: // findRefusals tells of it
		case !q.PausedUntil.IsZero():
			found = append(found, s.finding(QueuePaused, q.Name, "wagewire resume "+q.Name,
				"queue %s is paused until %s", q.Name, s.clock(q.PausedUntil)))
		case ready > UnservedAfter && s.isAbsent(role):
			found = append(found, s.finding(NoProcess, role, "start it, and see its log",
				"queue %s has %s ready since %s, and no process of %s is there",
				q.Name, plain.Count(q.Ready, "event"), s.clock(q.Oldest), role))
		case ready > UnfinishedAfter && !s.isHeld(q.Name):
			found = append(found, s.finding(EventsUnfinished, q.Name,
				"see the log of its worker, or start more of them",
				"queue %s has %s ready since %s, and nobody finishes %s",
				q.Name, plain.Count(q.Ready, "event"), s.clock(q.Oldest),
				either(q.Ready, "it", "them")))
		}
	}
	return found
}

// either is the first word for one, and the second for more.
func either(n uint64, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// findRefusals returns a finding for each provider that refuses our credentials.
func (s State) findRefusals() []Finding {
	var found []Finding
	for _, p := range schema.Providers() {
		var first *schema.Pause
		refused := uint64(0)
		for _, q := range s.Queues {
			if q.Refusal == nil || providerOf(q.Name) != p {
				continue
			}
			refused++
			if first == nil || q.Refusal.Since.Before(first.Since) {
				first = q.Refusal
			}
		}
		if first == nil {
			continue
		}
		found = append(found, s.finding(RefusedCredentials, string(p),
			"put a good key into the file of "+fetch.SecretVariable(p),
			"%s refuses our API key since %s: %s %s still (%d from %s)",
			p, s.clock(first.Since), plain.Count(refused, "queue"),
			either(refused, "stands", "stand"), first.Status, first.Endpoint))
	}
	return found
}

// providerOf is the provider of a queue.
func providerOf(queue string) schema.Provider { return queueNamed(queue).Provider }

// roleOf is the role of the worker of a queue.
func roleOf(queue string) string { return stream.WorkerRole(queueNamed(queue).Resource) }

func queueNamed(name string) schema.Queue {
	queues := schema.Queues()
	i := slices.IndexFunc(queues, func(q schema.Queue) bool { return q.Name == name })
	if i < 0 {
		return schema.Queue{Name: name}
	}
	return queues[i]
}

// isHeld reports whether the provider of a queue gets no calls at the moment.
func (s State) isHeld(queue string) bool {
	return slices.ContainsFunc(s.Budgets, func(b stream.BudgetStatus) bool {
		return b.Provider == providerOf(queue) && b.Hold.Until.After(b.At)
	})
}

// isAbsent reports whether there was a process of the role, and is none now. Of a role that never
// reported, as in an earlier release, nobody knows.
func (s State) isAbsent(role string) bool {
	return slices.ContainsFunc(s.Processes, func(r RoleState) bool {
		return r.Role == role && r.Running == 0 && s.At.Sub(r.Seen) > AbsentFor
	})
}

func (s State) findProviders() []Finding {
	var found []Finding
	for _, p := range s.Providers {
		name := string(p.Provider)
		if s.isFailing(p.Calls) {
			found = append(found, s.finding(ProviderFailing, name,
				"nothing, the events wait and are tried again; see the status page of "+name,
				"%s fails our calls%s: %d failed and %d succeeded within 5 min, last %s",
				name, s.since(p.Calls), p.Calls.Failed, p.Calls.OK, answerOf(p)))
		}
		if s.isMismatched(p.Signatures) {
			found = append(found, s.finding(SignaturesFailing, name,
				"put the secret of the provider's dashboard into the file of "+
					strings.ToUpper(name)+"_SECRETS_FILE",
				"%d webhooks of %s in a row have a signature of another secret since %s",
				p.Signatures.InARow, name, s.clock(p.Signatures.Since)))
		}
		if p.Dates.InARow >= SkewedMin && s.At.Sub(p.Dates.LastFailed) <= SkewedWithin {
			found = append(found, s.finding(ClockSkew, name, "set the clock of this host (NTP)",
				"%d signed webhooks of %s in a row are dated %s, and went to quarantine",
				p.Dates.InARow, name, apart(p.SkewS)))
		}
		if p.Silence != nil {
			found = append(found, s.finding(ProviderSilent, name,
				"wagewire doctor looks at the webhook's registration",
				"%s has sent nothing since %s%s", name, s.clock(p.LastWebhook), p.Silence))
		}
	}
	for _, b := range s.Budgets {
		if left := b.Hold.Until.Sub(b.At); left > HeldAfter {
			found = append(found, s.finding(ProviderHolds, string(b.Provider),
				"nothing, or wagewire budget reset "+string(b.Provider),
				"%s asked for no calls until %s", b.Provider, s.clock(b.Hold.Until)))
		}
	}
	return found
}

// isFailing reports whether a provider fails, and not only a single call: every call of late has
// failed, or most of many.
func (s State) isFailing(calls schema.Recent) bool {
	silent := s.At.Sub(calls.LastFailed)
	if calls.InARow >= InARowMin && silent <= RowWithin {
		return true
	}
	total := float64(calls.OK + calls.Failed)
	isMost := calls.Failed >= FailedMin && float64(calls.Failed) >= FailedShare*total
	return isMost && silent <= FailedWithin
}

// isMismatched reports whether webhooks of late have no signature that fits.
func (s State) isMismatched(signatures schema.Recent) bool {
	return signatures.InARow >= InARowMin &&
		s.At.Sub(signatures.LastFailed) <= RowWithin &&
		signatures.LastFailed.Sub(signatures.Since) >= MismatchFor
}

func (s State) since(calls schema.Recent) string {
	if calls.InARow == 0 {
		return ""
	}
	return " since " + s.clock(calls.Since)
}

// answerOf is the last failed answer of the provider: "503 from /v1/links/{link_id}".
func answerOf(p ProviderState) string {
	if p.Status == 0 {
		return "no answer from " + p.Endpoint
	}
	return fmt.Sprintf("%d from %s", p.Status, p.Endpoint)
}

// apart says how far a date is from our clock.
func apart(ageS float64) string {
	age := time.Duration(ageS * float64(time.Second))
	if age < 0 {
		return rough(-age) + " after our clock"
	}
	return rough(age) + " before our clock"
}

// String says why the silence is unusual.
func (s Silence) String() string {
	if s.Limit > 0 {
		return fmt.Sprintf(", longer than %s", rough(s.Limit))
	}
	return fmt.Sprintf(", when %d webhooks or more came on each of the last %d days",
		s.Usual, silenceDays)
}

func (s State) findProcesses() []Finding {
	var found []Finding
	for _, r := range s.Processes {
		if r.Crashed > CrashesMax {
			found = append(found, s.finding(ProcessCrashing, r.Role,
				"see its log, and wagewire status for an event in hand again and again",
				"%d processes of %s ended without a stop within %s",
				r.Crashed, r.Role, rough(CrashWithin)))
		}
	}
	if s.isAbsent(stream.RoleIngress) {
		found = append(found, s.finding(NoProcess, stream.RoleIngress, "start it, and see its log",
			"no process of ingress is there, so webhooks have no receiver"))
	}
	return found
}

func (s State) findTeams() []Finding {
	var found []Finding
	for _, d := range s.Durables {
		kept := d.LostAt.Sub(d.Oldest)
		if d.LostAt.IsZero() || d.LostAt.Sub(s.At) > min(LossWithin, kept/LossShare) {
			continue
		}
		about := cmp.Or(d.Team, d.Name)
		found = append(found, s.finding(TeamBehind, about,
			"tell the team, or wagewire team remove it if nobody reads",
			"durable %s has %s unread, and the oldest is deleted at %s",
			d.Name, plain.Count(d.Lag(), "completion"), s.clock(d.LostAt)))
	}
	return found
}

func (s State) findLeftovers() []Finding {
	var found []Finding
	letters := 0
	for _, d := range s.DeadLetters {
		letters += d.Count
	}
	if letters > 0 {
		found = append(found, s.finding(DeadLetters, "", "wagewire dead list",
			"%s to decide on", plain.Count(uint64(letters), "dead letter")))
	}
	for _, u := range s.Unread {
		found = append(found, s.finding(Quarantined, string(u.Provider), "wagewire quarantine list",
			"quarantine has %s of %s (%s)",
			plain.Count(uint64(u.Count), "webhook"), u.Provider, u.Reason))
	}
	if s.Exhausted > 0 {
		found = append(found, s.finding(DeliveriesEnded, "", "wagewire dead list",
			"%s had all deliveries within the last hour", plain.Count(s.Exhausted, "event")))
	}
	return found
}

// clock is a time in UTC, without the date if it is within half a day of the state.
func (s State) clock(at time.Time) string {
	if s.At.Sub(at).Abs() < 12*time.Hour {
		return at.UTC().Format("15:04Z")
	}
	return at.UTC().Format("2006-01-02 15:04Z")
}

// rough is a duration in its largest unit.
func rough(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return fmt.Sprintf("%d s", d/time.Second)
	}
}

// fullIn is the time until the stream is full at its present rate, of bytes or of messages.
func fullIn(l stream.Level, now time.Time) (left time.Duration, fills bool) {
	bytes, fillsBytes := bytesFullIn(l, now)
	messages, fillsMessages := FullIn(Fill{
		Now: now, Bytes: l.Messages, BytesMax: l.MessagesMax, Oldest: l.Oldest, MaxAge: l.MaxAge,
	})
	switch {
	case fillsBytes && fillsMessages:
		return min(bytes, messages), true
	case fillsMessages:
		return messages, true
	default:
		return bytes, fillsBytes
	}
}

func bytesFullIn(l stream.Level, now time.Time) (left time.Duration, fills bool) {
	return FullIn(Fill{
		Now: now, Bytes: l.Bytes, BytesMax: l.BytesMax, Oldest: l.Oldest, MaxAge: l.MaxAge,
	})
}
