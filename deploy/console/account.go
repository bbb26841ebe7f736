package console

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/find"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

// entriesMax is how many entries the page of an account shows.
const entriesMax = 500

// accountView is what the page of an account shows.
type accountView struct {
	provider schema.Provider
	token    string
	// state is the zero value without a state. isUnreadable: the broker has a state that cannot be
	// read.
	state        schema.AccountData
	isUnreadable bool
	isErased     bool
	// supported are the resources of the account's payroll platform, none if nobody said.
	supported []schema.Resource
	// entries are the newest, the newest first, of all.
	entries []find.Entry
	all     int
	now     time.Time
}

// showAccount shows the state of an account, and all that the streams have of it.
func (c *Console) showAccount(w http.ResponseWriter, r *http.Request) {
	p := schema.Provider(r.PathValue("provider"))
	token := r.PathValue("token")
	if !p.Known() || !find.IsToken(token) {
		c.fail(w, r, http.StatusNotFound, "This is no provider, or no token of an account. "+
			"The search finds an account by its id.")
		return
	}
	c.lookUp(w, r, false, func(ctx context.Context) error {
		view, err := c.readAccount(ctx, p, token)
		if err != nil {
			return err
		}
		if view.all == 0 {
			c.fail(w, r, http.StatusNotFound, fmt.Sprintf("Nothing of account %s of %s is on the "+
				"streams: no webhook named it, or they are older than the streams keep.",
				plain.Word(token), p.Title()))
			return nil
		}
		c.render(w, r, http.StatusOK, page{title: "Account " + plain.Word(token)}, account(view))
		return nil
	})
}

func (c *Console) readAccount(
	ctx context.Context, p schema.Provider, token string,
) (accountView, error) {
	view := accountView{provider: p, token: token, now: time.Now()}
	entries, err := find.Token(ctx, c.op, p, token)
	if err != nil {
		return view, err
	}
	for _, e := range entries {
		if e.What == find.State {
			view.state = e.Data
			view.isUnreadable = e.Unreadable
		}
		view.isErased = view.isErased || e.What == find.Tombstone
		if e.Supported != nil {
			view.supported = e.Supported
		}
	}
	slices.Reverse(entries)
	view.all = len(entries)
	view.entries = entries[:min(len(entries), entriesMax)]
	return view, nil
}

// left is how many entries the page does not show.
func (v accountView) left() int { return v.all - len(v.entries) }

// command is the command line that does the same.
func (v accountView) command() string {
	return plain.CommandLine("wagewire", "find", v.token, "--provider", string(v.provider))
}

// resources are the resources of the state, by name.
func (v accountView) resources() []schema.Resource {
	return slices.Sorted(maps.Keys(v.state.Resources))
}

// hasPending reports whether a resource has no result yet.
func (v accountView) hasPending() bool {
	for _, r := range v.state.Resources {
		if r.Outcome == schema.Pending {
			return true
		}
	}
	return false
}

// statusColour is the class of the mark with a status.
func statusColour(s schema.AccountStatus) string {
	switch s {
	case schema.AccountReady:
		return "ok"
	case schema.AccountIncomplete, schema.AccountDisconnected:
		return "warn"
	default:
		return "note"
	}
}

// names are words in a line, and a dash if there are none.
func names[T ~string](words []T) string {
	if len(words) == 0 {
		return "–"
	}
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = plain.Word(word)
	}
	return strings.Join(list, ", ")
}

// wordOf is the word, and a dash for none.
func wordOf[T ~string](word *T) string {
	if word == nil || *word == "" {
		return "–"
	}
	return plain.Word(*word)
}

// timeOf is the time, zero for none.
func timeOf(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}
