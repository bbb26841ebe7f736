package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

// feedChoice chooses completions of the feed. The zero value chooses all.
type feedChoice struct {
	provider schema.Provider
	resource schema.Resource
	outcome  schema.Outcome
}

func (c feedChoice) matches(one fed) bool {
	d := one.Data
	return (c.provider == "" || c.provider == d.Provider) &&
		(c.resource == "" || c.resource == d.Resource) &&
		(c.outcome == "" || c.outcome == d.Outcome)
}

// command is the command line that prints the same choice as it comes. Its words are of our own
// lists.
func (c feedChoice) command() string {
	line := "wagewire tail"
	if c.provider != "" {
		line += " --provider " + string(c.provider)
	}
	if c.resource != "" {
		line += " --resource " + string(c.resource)
	}
	if c.outcome != "" {
		line += " --outcome " + string(c.outcome)
	}
	return line
}

// feedView is what the page of the feed shows.
type feedView struct {
	feedChoice

	feedNow

	// shown are the newest of the chosen completions, and chosen is how many there are.
	shown  []fed
	chosen int
	// more is the address of the page with all of them, "" if they are shown.
	more templ.SafeURL
}

// rowsMax is how many completions the feed shows, unless the person asks for all.
const rowsMax = 50

// showFeed shows the newest completions.
func (c *Console) showFeed(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	choice := feedChoice{
		schema.Provider(query.Get("provider")),
		schema.Resource(query.Get("resource")),
		schema.Outcome(query.Get("outcome")),
	}
	if problem := choice.problem(); problem != "" {
		c.fail(w, r, http.StatusBadRequest, problem)
		return
	}
	c.feed.look(r.Context())
	view := feedView{feedChoice: choice, feedNow: c.feed.get()}
	for _, one := range view.newest {
		if choice.matches(one) {
			view.shown = append(view.shown, one)
		}
	}
	view.chosen = len(view.shown)
	if view.chosen > rowsMax && query.Get("rows") != "all" {
		view.shown = view.shown[:rowsMax]
		query.Set("rows", "all")
		view.more = templ.SafeURL("?" + query.Encode())
	}
	frame := page{title: "Feed", isLive: true, on: "completion"}
	c.render(w, r, http.StatusOK, frame, feedPage(view))
}

// problem says what to write instead of a word that no completion has, "" if there is none.
func (c feedChoice) problem() string {
	switch {
	case c.provider != "" && !c.provider.Known():
		return "provider: write one of " + plain.List(schema.Providers()) + ", or nothing for all."
	case c.resource != "" && !slices.Contains(schema.WorkerResources(), c.resource):
		return "resource: write one of " + plain.List(schema.WorkerResources()) +
			", or nothing for all."
	case c.outcome != "" && !slices.Contains(schema.Outcomes(), c.outcome):
		return "outcome: write one of " + plain.List(schema.Outcomes()) + ", or nothing for all."
	default:
		return ""
	}
}

// key is the key of the event that ended with the completion.
func (f fed) key() string {
	event := schema.Event{Provider: f.Data.Provider, ID: f.Data.Event.ID, Redrive: f.Data.Redrive}
	return event.Key()
}

// notes says what is unusual about the records.
func (f fed) notes() string {
	var notes []string
	if f.missing > 0 {
		notes = append(notes, fmt.Sprintf("%s missing", thousands(f.missing)))
	}
	if f.deleted > 0 {
		notes = append(notes, fmt.Sprintf("%s deleted", thousands(f.deleted)))
	}
	if f.Data.Stale {
		notes = append(notes, "stale")
	}
	return strings.Join(notes, ", ")
}

// cause is the class and the code of the failure.
func (f fed) cause() string {
	e := f.Data.Error
	switch {
	case e == nil:
		return ""
	case e.Code == "":
		return plain.Word(e.Class)
	default:
		return plain.Word(e.Class) + ", " + plain.Word(e.Code)
	}
}

// colour is the colour of the mark of an outcome.
func colour(o schema.Outcome) string {
	switch o {
	case schema.Succeeded:
		return "ok"
	case schema.Failed:
		return "bad"
	case schema.Unavailable:
		return "warn"
	default:
		return "note"
	}
}
