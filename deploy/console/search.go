package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
)

// Limits of the questions about one event or account. A search may read a whole stream; a page
// reads the messages of one account, and the newest of a stream at most.
const (
	// searchesMax is how many searches may be under way, and lookupsMax how many pages.
	searchesMax = 2
	lookupsMax  = 4
	// searchFor is how long a search may take, and searchAllFor a search in all that the streams
	// have.
	searchFor    = 30 * time.Second
	searchAllFor = 2 * time.Minute
	// awayFor is how long a page asks a broker that did not answer the last time.
	awayFor = 3 * time.Second
	// searchTurn is how long a search waits for its turn.
	searchTurn = 5 * time.Second
	// retryAfter is what a refused search is told.
	retryAfter = 5 * time.Second
	// nameBytesMax is the length of the longest name that is searched for.
	nameBytesMax = 512
)

// asksForAll reports whether a page shall look at all that the streams have. A link of another site
// cannot ask for that: it takes minutes of the broker.
func asksForAll(r *http.Request) bool {
	return r.URL.Query().Get("all") == "1" && isOfOwnPage(r)
}

// newest is how many of the newest events and dead letters a page looks at.
func newest(r *http.Request) uint64 {
	if asksForAll(r) {
		return 0
	}
	return trace.Newest
}

// lookUp answers a request with the help of the broker, within limits. An error of read becomes a
// page.
func (c *Console) lookUp(
	w http.ResponseWriter, r *http.Request, isSearch bool, read func(context.Context) error,
) {
	if err := c.op.Connected(); err != nil {
		c.fail(w, r, http.StatusServiceUnavailable, "It could not be read: "+err.Error())
		return
	}
	limit := pageFor
	slots := c.lookups
	if isSearch {
		limit = searchFor
		slots = c.searches
	}
	if asksForAll(r) {
		limit = searchAllFor
	}
	if now := c.known(r.Context()); now.Why != "" {
		limit = awayFor
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	turn := limit
	if isSearch {
		turn = c.searchTurn
	}
	if !enter(ctx, slots, turn) {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		c.fail(w, r, http.StatusServiceUnavailable, busyText(isSearch))
		return
	}
	defer func() { <-slots }()
	err := read(ctx)
	switch {
	case err == nil, r.Context().Err() != nil: // answered, or nobody is there
	case errors.Is(err, context.DeadlineExceeded):
		c.fail(w, r, http.StatusServiceUnavailable, "NATS did not answer in time. "+
			"The commands of wagewire wait longer.")
	default:
		c.fail(w, r, http.StatusServiceUnavailable, "It could not be read: "+advice.On(err).Error())
	}
}

func busyText(isSearch bool) string {
	if isSearch {
		return "Two searches are under way: try again."
	}
	return "Too many pages ask NATS at the moment: try again."
}

// enter takes a slot. It waits for a slot for so long at most, and until ctx ends.
func enter(ctx context.Context, slots chan struct{}, turn time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// hit is a page that a search has found.
type hit struct {
	what, name, about string
	path              templ.SafeURL
}

// showSearch leads to the page of an event or account, and lists the pages if there are several.
func (c *Console) showSearch(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.URL.Query().Get("q"))
	if name == "" || len(name) > nameBytesMax {
		c.fail(w, r, http.StatusBadRequest, fmt.Sprintf("Give the id or the key of an event, "+
			"or the id or the token of an account, with at most %d bytes.", nameBytesMax))
		return
	}
	c.lookUp(w, r, true, func(ctx context.Context) error {
		hits, err := c.search(ctx, r, name)
		if err != nil {
			return err
		}
		switch len(hits) {
		case 0:
			return c.showMissing(ctx, w, r, name, "")
		case 1:
			http.Redirect(w, r, string(hits[0].path), http.StatusSeeOther)
		default:
			c.render(w, r, http.StatusOK, page{title: "Found"}, found(hits))
		}
		return nil
	})
}

func (c *Console) search(ctx context.Context, r *http.Request, name string) ([]hit, error) {
	lives, _, err := trace.Event(ctx, c.op, name, newest(r))
	if err != nil {
		return nil, err
	}
	var hits []hit
	isListed := map[string]bool{}
	for _, l := range lives {
		if isListed[l.Webhook()] {
			continue // it is on the same page
		}
		isListed[l.Webhook()] = true
		key := l.Event
		if len(lives) > 1 {
			key = l.Webhook()
		}
		path := eventPath(key)
		if asksForAll(r) {
			path += "?all=1"
		}
		hits = append(hits, hit{"event", key, l.Type, path})
	}
	places, err := find.Places(ctx, c.op, name)
	for _, p := range places {
		hits = append(hits,
			hit{"account", p.Token, string(p.Provider), accountPath(p.Provider, p.Token)})
	}
	return hits, err
}

// showMissing says what was looked at, and what was not. A search has also looked for an account.
// Another page offers the search.
func (c *Console) showMissing(
	ctx context.Context, w http.ResponseWriter, r *http.Request, name string, search templ.SafeURL,
) error {
	err := trace.Explain(ctx, c.op, name, newest(r))
	notFound, ok := errors.AsType[*trace.NotFoundError](err)
	if !ok {
		return err
	}
	view := newMissingView(notFound)
	view.search = search
	view.isAll = asksForAll(r)
	c.render(w, r, http.StatusNotFound, page{title: "Not found"}, missing(view))
	return nil
}

// missingView is what the page of an unknown name shows.
type missingView struct {
	text, name string
	// all is the address of the search in all that the streams have, "" if that was it.
	all templ.SafeURL
	// search is the address of the search for accounts, too, "" if that was it.
	search templ.SafeURL
	// isAll: the page has looked at all, as the command does.
	isAll bool
}

func newMissingView(e *trace.NotFoundError) missingView {
	view := missingView{text: sentence(e.Error()), name: e.Name}
	if len(e.Unread) > 0 {
		view.all = "/search?" + templ.SafeURL(url.Values{"all": {"1"}, "q": {e.Name}}.Encode())
	}
	return view
}

// number is the name as the number of a dead letter, 0 if it is none.
func (v missingView) number() uint64 {
	n, err := strconv.ParseUint(v.name, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// shellWords are the names that stand in a command line as they are.
var shellWords = regexp.MustCompile(`^[\w:.-]+$`)

// command is the command line that searches all, "" if that was it, and for a name that a shell
// would read otherwise.
func (v missingView) command() string {
	if v.isAll || !shellWords.MatchString(v.name) || strings.HasPrefix(v.name, "-") {
		return ""
	}
	return "wagewire trace " + v.name + " --all"
}

// sentence is a text with a capital at its beginning and a stop at its end.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + plain.Text(text[1:]) + "."
}
