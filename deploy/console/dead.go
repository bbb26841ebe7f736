package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// letterForm is the filter of dead letters, as a form has it.
type letterForm struct {
	queue, class, provider, account string
	spanForm
}

func readLetterForm(v url.Values) letterForm {
	return letterForm{
		queue: v.Get("queue"), class: v.Get("class"), provider: v.Get("provider"),
		account: strings.TrimSpace(v.Get("account")), spanForm: readSpanForm(v),
	}
}

// filter reads the form. An error names the field and the right form.
func (f letterForm) filter(now time.Time) (shelf.LetterFilter, error) {
	filter := shelf.LetterFilter{
		Queue: f.queue, Class: schema.Class(f.class), Provider: schema.Provider(f.provider),
		Account: f.account,
	}
	err := cmp.Or(
		isOneOf("queue", f.queue, queueNames()),
		isOneOf("class", filter.Class, shelf.LetterClasses()),
		isOneOf("provider", filter.Provider, schema.Providers()))
	if err != nil {
		return filter, err
	}
	filter.Span, err = f.span(now)
	return filter, err
}

// fields are the fields with a value. The account is a word without need of quotes.
func (f letterForm) fields() []field {
	account := shelf.LetterFilter{Account: f.account}.AccountWord()
	return fieldsOf(field{"queue", f.queue}, field{"class", f.class},
		field{"provider", f.provider}, field{"account", account}, field{"since", f.since},
		field{"until", f.until})
}

func queueNames() []string {
	var names []string
	for _, q := range schema.Queues() {
		names = append(names, q.Name)
	}
	return names
}

// deadView is the content of the page of dead letters.
type deadView struct {
	listing

	form    letterForm
	letters []stream.Letter
	now     time.Time
}

func (c *Console) showDead(w http.ResponseWriter, r *http.Request) {
	form := readLetterForm(r.URL.Query())
	now := time.Now()
	filter, err := form.filter(now)
	from, isRead := c.readAddress(w, r, err)
	if !isRead {
		return
	}
	c.lookUp(w, r, false, func(ctx context.Context) error {
		list, err := readPage(ctx, c.op, shelf.Letters(), filter, from)
		if err != nil {
			return err
		}
		view := deadView{
			listing: newListing(deadBoard(), form.fields(), from, list), form: form,
			letters: list.Messages, now: now,
		}
		known := c.known(ctx)
		err = countPage(ctx, c.op, shelf.Letters(), filter, &view.listing,
			countsOf{all: deadCounts(known.DeadLetters, filter), at: known.At},
			filter.Account == "" && filter.IsOpen(), noteOfLetter)
		if err != nil {
			return err
		}
		c.complete(r, &view.listing)
		c.render(w, r, http.StatusOK, page{title: "Dead letters"}, deadPage(view))
		return nil
	})
}

// letterWords are the words by which dead letters are counted.
func letterWords(l stream.Letter) [2]string { return [2]string{l.Queue, string(l.Class)} }

func noteOfLetter(l stream.Letter) countOf { return countOf{words: letterWords(l), oldest: l.At} }

// deadCounts are the counts of the filter in the last reading of the broker. Letters of unread
// classes may be among the chosen ones, and so may letters of a queue of an earlier release: the
// provider is not known.
func deadCounts(all []health.DeadCount, f shelf.LetterFilter) []countOf {
	var counts []countOf
	for _, d := range all {
		q, isKnown := schema.QueueNamed(d.Queue)
		isUnread := d.Class == stream.ClassUnread
		if f.Queue != "" && f.Queue != d.Queue ||
			f.Class != "" && f.Class != d.Class && !isUnread ||
			f.Provider != "" && isKnown && f.Provider != q.Provider {
			continue
		}
		counts = append(counts, countOf{
			words: [2]string{d.Queue, string(d.Class)}, count: d.Count, oldest: d.Oldest,
			isMaybe: f.Class != "" && isUnread || f.Provider != "" && !isKnown,
		})
	}
	return counts
}

// letterView is the content of the page of a dead letter.
type letterView struct {
	board
	stream.Letter

	// decodes says why the event cannot be decoded, "" if it can.
	decodes string
	mayAct  bool
	// reveals: the person may see the body after giving a reason.
	reveals bool
}

// isEvent reports whether the dead letter names an event, and isAccount whether an account.
func (v letterView) isEvent() bool { return v.Event.Provider.Known() && v.Event.ID != "" }

func (v letterView) isAccount() bool {
	return v.Event.Provider.Known() && v.Account != "" && v.Account != schema.NoAccount
}

func (v letterView) flags() []string { return []string{strconv.FormatUint(v.Number, 10)} }

// headerLines are the headers of the message in the order of their names.
func (v letterView) headerLines() []field {
	var lines []field
	for _, name := range slices.Sorted(maps.Keys(v.Headers)) {
		for _, value := range v.Headers[name] {
			lines = append(lines, field{name, value})
		}
	}
	return lines
}

// showLetter shows a dead letter without the body.
func (c *Console) showLetter(w http.ResponseWriter, r *http.Request) {
	c.lookUp(w, r, false, func(ctx context.Context) error {
		letter, exists, err := readMessage(ctx, c, w, r, deadBoard(), shelf.Letters())
		if err != nil || !exists {
			return err
		}
		if err := c.op.Explain(ctx, &letter); err != nil {
			return err
		}
		view := letterView{
			board: deadBoard(), Letter: letter, mayAct: personOf(r).has(RoleAct),
			reveals: c.mayReveal(r),
		}
		if _, err := letter.Decode(); err != nil {
			view.decodes = err.Error()
		}
		title := fmt.Sprintf("Dead letter %d", letter.Number)
		c.render(w, r, http.StatusOK, page{title: title}, letterPage(view))
		return nil
	})
}

// planDead begins a plan for dead letters.
func (c *Console) planDead(w http.ResponseWriter, r *http.Request) {
	t, err := readTask(r, deadBoard())
	form := readLetterForm(r.PostForm)
	filter, filterErr := form.filter(time.Now())
	number, numberErr := readNumber(r.PostFormValue("number"))
	form.spanForm = form.exact(filter.Span)
	if err := cmp.Or(err, filterErr, numberErr, t.choose(number, form.fields())); err != nil {
		c.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	what := &shelfWork[stream.Letter]{
		op: c.op, kind: shelf.Letters(), filter: filter, number: number,
		trim:  func(l *stream.Letter) { l.Headers = nil },
		words: letterWords,
	}
	what.makeSender = func(
		ctx context.Context, letters []stream.Letter,
	) (sender[stream.Letter], error) {
		if t.action == discard {
			return shelf.NewDiscarder(c.op, what.kind), nil
		}
		return shelf.NewRedriver(ctx, c.op, letters)
	}
	c.planRun(w, r, t, what, what.kind.Stream)
}
