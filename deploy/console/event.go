package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
)

// eventView is what the page of an event shows.
type eventView struct {
	lives []lifeView
	// isShared: several webhooks have the id, each of another provider.
	isShared bool
	// others is the address of the page that also looks for other accounts with the id, "" if
	// there are none to look for.
	others templ.SafeURL
	// command is the command line that does the same.
	command string
	// reveals: the person may see records.
	reveals bool
}

// lifeView is the life of an event with its moments in the order of time.
type lifeView struct {
	*trace.Life

	moments []moment
	bars    []bar
}

// moment is a line of the timeline.
type moment struct {
	trace.Incident

	// queue is "" for what happened before the queues.
	queue string
	// redrive is the key of the redrive that the line is about, "" for another line.
	redrive string
	isAhead bool
}

// showEvent shows the lives of an event and of its redrives.
func (c *Console) showEvent(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("key")
	if len(name) > nameBytesMax {
		c.fail(w, r, http.StatusNotFound, "There is no event with such a long name.")
		return
	}
	c.lookUp(w, r, asksForAll(r), func(ctx context.Context) error {
		lives, isPartial, err := trace.Event(ctx, c.op, name, newest(r))
		if err != nil {
			return err
		}
		if len(lives) == 0 {
			return c.showMissing(ctx, w, r, name, searchPath(name))
		}
		view := eventView{reveals: c.mayReveal(r)}
		byWebhook(lives)
		key := lives[0].Event
		view.isShared = lives[len(lives)-1].Webhook() != lives[0].Webhook()
		switch {
		case view.isShared:
			key = name
		case len(lives) > 1:
			key = lives[0].Webhook()
		}
		view.command = plain.CommandLine("wagewire", "trace", key)
		if isPartial {
			view.others = eventPath(name) + "?all=1"
		}
		now := time.Now()
		for _, l := range lives {
			view.lives = append(view.lives, newLifeView(l, lives, now))
		}
		c.render(w, r, http.StatusOK, page{title: "Event " + plain.Word(key)}, event(view))
		return nil
	})
}

// heading names a life: its webhook, or the number of its redrive.
func (v eventView) heading(l lifeView) string {
	text := "The webhook"
	if l.Redrive > 0 {
		text = "Redrive " + thousands(l.Redrive)
	}
	if v.isShared {
		text += " of " + l.Provider.Title()
	}
	return text
}

// byWebhook puts the lives of a webhook together.
func byWebhook(lives []*trace.Life) {
	slices.SortStableFunc(lives, func(a, b *trace.Life) int {
		return strings.Compare(a.Webhook(), b.Webhook())
	})
}

func newLifeView(l *trace.Life, lives []*trace.Life, now time.Time) lifeView {
	v := lifeView{Life: l}
	for _, i := range l.Incidents() {
		v.moments = append(v.moments, moment{Incident: i})
	}
	for _, f := range l.Queues {
		for _, i := range f.Incidents(now) {
			v.moments = append(v.moments, moment{Incident: i, queue: f.Queue})
			if i.Completion != nil {
				v.bars = append(v.bars, newBar(i.Completion, l.Parts(i.Completion)))
			}
		}
	}
	for _, other := range lives {
		isRedrive := other.Redrive > 0 && other.Webhook() == l.Event
		if isRedrive && other.Stored != nil {
			sent := trace.Incident{At: other.Stored.At, Text: "sent again as"}
			v.moments = append(v.moments, moment{Incident: sent, redrive: other.Event})
		}
	}
	v.sort(now)
	return v
}

// sort puts the moments in the order of time. A line without a time stays behind the line before of
// its queue, and without such a line behind those before the queues.
func (v *lifeView) sort(now time.Time) {
	type timed struct {
		moment

		at time.Time
	}
	var list []timed
	last := map[string]time.Time{} // by queue
	for _, m := range v.moments {
		at := m.At
		if at.IsZero() {
			at = last[m.queue]
		}
		if at.IsZero() {
			at = last[""]
		}
		last[m.queue] = at
		m.isAhead = m.At.After(now)
		list = append(list, timed{m, at})
	}
	slices.SortStableFunc(list, func(a, b timed) int { return a.at.Compare(b.at) })
	for i, one := range list {
		v.moments[i] = one.moment
	}
}

// anchor is the id of the life's heading on the page. A key is made of plain tokens.
func anchor(key string) string { return "event-" + key }

// hasAccount reports whether the account has a page.
func (v lifeView) hasAccount() bool { return v.Account != "" && v.Account != schema.NoAccount }

// completions are the completions with records, of every queue.
func (v lifeView) completions() []*trace.Completion {
	var list []*trace.Completion
	for _, m := range v.moments {
		if m.Completion != nil && m.Completion.Records > 0 {
			list = append(list, m.Completion)
		}
	}
	return list
}

// stateColour is the class of the mark with a state.
func stateColour(f trace.Fate) string {
	switch f.State {
	case trace.StateDead, trace.StateExhausted:
		return "bad"
	case trace.StateCompleted:
		return colour(f.Completion.Outcome)
	case trace.StateWaiting, trace.StateUnknown:
		return "warn"
	default:
		return "note"
	}
}

// stateWord is the state, or the outcome of a completed event.
func stateWord(f trace.Fate) string {
	if f.State == trace.StateCompleted {
		return plain.Word(f.Completion.Outcome)
	}
	return f.State.String()
}

// formerFailures says how many attempts failed before the last one, of an event with an end. Their
// classes are stored only while the event waits.
func formerFailures(f trace.Fate) string {
	if f.Completion == nil || f.Completion.Attempts < 2 {
		return ""
	}
	return counted(f.Completion.Attempts-1, "attempt") +
		" failed before the last one: the log of the workers says how"
}

// Sizes of a bar in the units of its viewBox. A part is at least barLeast wide, so that it can be
// seen.
const (
	barWidth  = 600
	barHeight = 14
	barLeast  = 4
)

// bar shows where the time of a completion went.
type bar struct {
	title string
	parts []trace.Part
	total time.Duration
}

func newBar(c *trace.Completion, parts []trace.Part) bar {
	b := bar{title: "Completion " + plain.Word(c.ID), parts: parts}
	for _, p := range parts {
		b.total += p.For
	}
	return b
}

// segment is a part of a bar, in the units of its viewBox.
type segment struct{ x, width float64 }

// segments are the places of the parts, next to each other over the whole width.
func (b bar) segments() []segment {
	var list []segment
	sum := 0.0
	for _, p := range b.parts {
		width := max(barLeast, barWidth*p.For.Seconds()/max(b.total.Seconds(), 1e-9))
		list = append(list, segment{sum, width})
		sum += width
	}
	for i := range list {
		list[i].x *= barWidth / sum
		list[i].width *= barWidth / sum
	}
	return list
}

// label is the bar in words.
func (b bar) label() string {
	var parts []string
	for _, p := range b.parts {
		parts = append(parts, p.Name+" "+took(p))
	}
	return b.title + ": " + strings.Join(parts, "; ")
}

// took is how long a part took.
func took(p trace.Part) string {
	if p.IsSkewed {
		return "unknown: the clocks disagree"
	}
	return duration(p.For)
}

// duration is a duration with three digits or so: 12ms, 3.4s, 2h3m0s.
func duration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(time.Second / 10).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return "under 1ms"
	}
}
