package console

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/plain"
)

// overviewView is what the first page shows.
type overviewView struct {
	known

	charts []chart
}

func (v overviewView) letters() int {
	n := 0
	for _, d := range v.DeadLetters {
		n += d.Count
	}
	return n
}

func (v overviewView) unread() int {
	n := 0
	for _, u := range v.Unread {
		n += u.Count
	}
	return n
}

func (c *Console) showOverview(w http.ResponseWriter, r *http.Request) {
	now := c.known(r.Context())
	events := func(s sample) uint64 { return s.events }
	completions := func(s sample) uint64 { return s.completions }
	view := overviewView{now, []chart{
		rateChart("Events stored", now.Samples, events),
		rateChart("Completions stored", now.Samples, completions),
		lagChart("Oldest unfinished event", "", now.Samples),
	}}
	c.render(w, r, http.StatusOK, page{title: "Overview", isLive: true}, overview(view))
}

// versions are the versions of a role's processes, without that of Go.
func versions(r health.RoleState) string {
	var list []string
	for _, version := range r.Versions {
		release, _, _ := strings.Cut(version, " ")
		list = append(list, plain.Word(release))
	}
	return strings.Join(list, ", ")
}

// findingID is the id of a line of a list of findings. A list may have several of a name about the
// same thing.
func findingID(findings []health.Finding, i int) string {
	f := findings[i]
	before := 0
	for _, other := range findings[:i] {
		if other.Name == f.Name && other.About == f.About {
			before++
		}
	}
	return fmt.Sprintf("finding-%s-%s-%d", f.Name, plain.Word(f.About), before)
}
