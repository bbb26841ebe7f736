package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// unreadForm is the filter of webhooks in quarantine, as a form has it.
type unreadForm struct {
	provider, reason string
	spanForm
}

func readUnreadForm(v url.Values) unreadForm {
	return unreadForm{v.Get("provider"), v.Get("reason"), readSpanForm(v)}
}

// filter reads the form. An error names the field and the right form.
func (f unreadForm) filter(now time.Time) (shelf.UnreadFilter, error) {
	filter := shelf.UnreadFilter{
		Provider: schema.Provider(f.provider), Reason: schema.QuarantineReason(f.reason),
	}
	err := cmp.Or(
		isOneOf("provider", filter.Provider, schema.Providers()),
		isOneOf("reason", filter.Reason, schema.QuarantineReasons()))
	if err != nil {
		return filter, err
	}
	filter.Span, err = f.span(now)
	return filter, err
}

func (f unreadForm) fields() []field {
	return fieldsOf(field{"provider", f.provider}, field{"reason", f.reason},
		field{"since", f.since}, field{"until", f.until})
}

// quarantineView is the content of the page of the quarantine.
type quarantineView struct {
	listing

	form     unreadForm
	webhooks []stream.Unread
	now      time.Time
}

func (c *Console) showQuarantine(w http.ResponseWriter, r *http.Request) {
	form := readUnreadForm(r.URL.Query())
	now := time.Now()
	filter, err := form.filter(now)
	from, isRead := c.readAddress(w, r, err)
	if !isRead {
		return
	}
	c.lookUp(w, r, false, func(ctx context.Context) error {
		list, err := readPage(ctx, c.op, shelf.Quarantine(), filter, from)
		if err != nil {
			return err
		}
		view := quarantineView{
			listing: newListing(quarantineBoard(), form.fields(), from, list), form: form,
			webhooks: list.Messages, now: now,
		}
		known := c.known(ctx)
		err = countPage(ctx, c.op, shelf.Quarantine(), filter, &view.listing,
			countsOf{all: unreadCounts(known.Unread, filter), at: known.At}, filter.IsOpen(),
			noteOfUnread)
		if err != nil {
			return err
		}
		c.complete(r, &view.listing)
		c.render(w, r, http.StatusOK, page{title: "Quarantine"}, quarantinePage(view))
		return nil
	})
}

// unreadWords are the words by which webhooks in quarantine are counted.
func unreadWords(u stream.Unread) [2]string {
	return [2]string{string(u.Provider), string(u.Reason)}
}

func noteOfUnread(u stream.Unread) countOf {
	return countOf{words: unreadWords(u), oldest: u.ReceivedAt}
}

// unreadCounts are the counts of the filter in the last reading of the broker. Webhooks of unread
// reasons may be among the chosen ones.
func unreadCounts(all []health.UnreadCount, f shelf.UnreadFilter) []countOf {
	var counts []countOf
	for _, u := range all {
		isUnread := u.Reason == health.ReasonUnread
		if f.Provider != "" && f.Provider != u.Provider ||
			f.Reason != "" && f.Reason != u.Reason && !isUnread {
			continue
		}
		counts = append(counts, countOf{
			words: [2]string{string(u.Provider), string(u.Reason)}, count: u.Count,
			oldest: u.Oldest, isMaybe: f.Reason != "" && isUnread,
		})
	}
	return counts
}

// unreadView is the content of the page of a webhook in quarantine.
type unreadView struct {
	board
	stream.Unread

	// unreadable says why the webhook cannot be released, without a quote of the body. A webhook
	// that can be released has "".
	unreadable string
	mayAct     bool
	// reveals: the person may see the body after giving a reason.
	reveals bool
}

func (v unreadView) flags() []string { return []string{strconv.FormatUint(v.Number, 10)} }

// showUnread shows a webhook in quarantine without the body.
func (c *Console) showUnread(w http.ResponseWriter, r *http.Request) {
	c.lookUp(w, r, false, func(ctx context.Context) error {
		unread, exists, err := readMessage(ctx, c, w, r, quarantineBoard(), shelf.Quarantine())
		if err != nil || !exists {
			return err
		}
		view := unreadView{
			board: quarantineBoard(), Unread: unread, mayAct: personOf(r).has(RoleAct),
			reveals: c.mayReveal(r),
		}
		if _, err := shelf.Parse(unread); err != nil {
			view.unreadable = err.Error()
		}
		title := fmt.Sprintf("Webhook %d in quarantine", unread.Number)
		c.render(w, r, http.StatusOK, page{title: title}, unreadPage(view))
		return nil
	})
}

// planQuarantine begins a plan for webhooks in quarantine.
func (c *Console) planQuarantine(w http.ResponseWriter, r *http.Request) {
	t, err := readTask(r, quarantineBoard())
	form := readUnreadForm(r.PostForm)
	filter, filterErr := form.filter(time.Now())
	number, numberErr := readNumber(r.PostFormValue("number"))
	form.spanForm = form.exact(filter.Span)
	if err := cmp.Or(err, filterErr, numberErr, t.choose(number, form.fields())); err != nil {
		c.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	what := &shelfWork[stream.Unread]{
		op: c.op, kind: shelf.Quarantine(), filter: filter, number: number,
		trim:  func(*stream.Unread) {},
		words: unreadWords,
	}
	what.makeSender = func(
		ctx context.Context, webhooks []stream.Unread,
	) (sender[stream.Unread], error) {
		if t.action == discard {
			return shelf.NewDiscarder(c.op, what.kind), nil
		}
		return shelf.NewReleaser(ctx, c.op, webhooks)
	}
	c.planRun(w, r, t, what, what.kind.Stream)
}
