package console

import (
	"net/http"
	"strings"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema/stream"
)

// teamsView is what the page of the teams shows.
type teamsView struct {
	known

	lags  []health.TeamLag
	about []health.Finding
}

// showTeams shows who subscribes to completions, and how far behind each is.
func (c *Console) showTeams(w http.ResponseWriter, r *http.Request) {
	view := teamsView{known: c.known(r.Context())}
	view.lags = health.TeamLags(view.Durables, view.At)
	for _, f := range view.Findings {
		if f.Name == health.TeamBehind {
			view.about = append(view.about, f)
		}
	}
	c.render(w, r, http.StatusOK, page{title: "Teams", isLive: true}, teamsPage(view))
}

// resourcesOf are the resources of a durable, "" for one that was made by hand.
func resourcesOf(d stream.Durable) string {
	var list []string
	for _, resource := range d.Resources {
		list = append(list, plain.Word(resource))
	}
	return strings.Join(list, ", ")
}
