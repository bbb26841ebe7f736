package trace

import (
	"fmt"
	"time"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

// Incident is a line of a history. All that others named in it is plain: see plain.Word.
type Incident struct {
	// At is zero for a line without a time of its own, such as the number of failures.
	At   time.Time
	Text string
	// Letter is the number of the dead letter that the line is about, 0 for another line.
	Letter uint64
	// Completion is the completion that the line is about, nil for another line.
	Completion *Completion
}

// incidents collects lines.
type incidents []Incident

func (list *incidents) add(at time.Time, format string, args ...any) {
	*list = append(*list, Incident{At: at, Text: fmt.Sprintf(format, args...)})
}

// Incidents is what happened to the event before its queues, in the order of the line: the oldest
// first.
func (l *Life) Incidents() []Incident {
	var list incidents
	l.addStored(&list)
	if l.Erased {
		list.add(time.Time{}, "the account is erased")
	}
	if len(l.Queues) == 0 {
		list.add(time.Time{}, "no queue reads it: it is stored, nothing more")
	}
	return list
}

func (l *Life) addStored(list *incidents) {
	s := l.Stored
	if s == nil && l.Erased {
		list.add(time.Time{}, "the event is gone: an erasure removes the account's webhooks")
		return
	}
	if s == nil {
		list.add(time.Time{}, "the event is gone from its stream")
		return
	}
	list.add(s.OccurredAt, "occurred, says the provider")
	list.add(s.ReceivedAt, "received")
	how := "stored"
	switch {
	case l.Redrive == 0 && l.Backfill:
		how = "sent as a backfill, stored"
	case l.Redrive > 0 && l.Queue != "":
		how = "sent again to " + plain.Word(l.Queue) + " alone, stored"
	case l.Redrive > 0:
		how = "sent again, stored"
	}
	list.add(s.At, "%s as %d of %s, %s, %d bytes", how, s.Sequence, schema.EventsStream,
		plain.Word(s.Subject), s.BodyBytes)
}

// Incidents is what happened to the event in the queue, and what happens next: when the event is
// tried again, and why the queue takes no events.
func (f *Fate) Incidents(now time.Time) []Incident {
	var list incidents
	for _, e := range f.Endings {
		if e.Exhausted {
			list.add(e.At, "deliveries ran out after %d", e.Deliveries)
		} else {
			list.add(e.At, "deliveries ended by a worker after %d: %s",
				e.Deliveries, plain.Word(e.Reason))
		}
	}
	for _, d := range f.DeadLetters {
		list.add(d.At, "dead letter %d: class %s, reason %s, %s",
			d.Number, plain.Word(d.Class), plain.Word(d.Reason), plain.Count(d.Attempts, "attempt"))
		list[len(list)-1].Letter = d.Number
	}
	if c := f.Completion; c != nil && len(f.Completions) == 0 {
		list.add(c.At, "completed: %s", c)
		list[len(list)-1].Completion = c
	}
	for _, c := range f.Completions {
		list.add(c.At, "account %s completed: %s", plain.Word(c.Account), c)
		list[len(list)-1].Completion = c
	}
	f.addWait(&list)
	f.addNextTry(&list, now)
	for _, line := range f.Lines(now) {
		list.add(time.Time{}, "%s", line)
	}
	if f.Note != "" {
		list.add(time.Time{}, "%s", f.Note)
	}
	return list
}

// notReady says what not_ready stands for. A waiting event does not carry what exactly it lacks.
const notReady = "the provider does not have all yet that the webhook announced: the record, " +
	"the number of records, or a newer state"

// addWait adds the last failure, and the number of all failures.
func (f *Fate) addWait(list *incidents) {
	w := f.Wait
	if w == nil {
		return
	}
	step := ""
	if w.Steps > 0 {
		step = fmt.Sprintf(", step %d of %d", w.Step, w.Steps)
	}
	list.add(w.Since, "began to wait: %s%s", Cause(w.Class, w.Status, w.Endpoint), step)
	if w.Class == schema.ClassNotReady {
		list.add(time.Time{}, "%s", notReady)
	}
	if n := w.Failures.Total(); n > 0 {
		list.add(time.Time{}, "%s: %s", plain.Count(n, "failure"), plain.Text(w.Failures.String()))
	}
}

func (f *Fate) addNextTry(list *incidents, now time.Time) {
	switch {
	case f.State == StateWaiting:
		list.add(f.Wait.NextTry, "next try, %s", plain.In(f.Wait.NextTry, now))
	case f.DueSince.IsZero():
	case f.State == StateReady:
		list.add(f.DueSince, "among the %s: no worker has taken it since", f.retry.Lane.Name)
	default:
		list.add(f.DueSince, "among the %s: a worker has taken it since", f.retry.Lane.Name)
	}
}
