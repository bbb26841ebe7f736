package console

import (
	"net/http"
	"slices"

	"github.com/wagewire/wagewire/deploy"
	"github.com/wagewire/wagewire/deploy/health"
)

// findingView is what the page of a kind of finding shows.
type findingView struct {
	deploy.Topic

	// active are the findings of the kind at the moment.
	active []health.Finding
	// isRead is false if nobody knows whether there are findings.
	isRead bool
}

// showFinding shows the section of the runbook about a finding or an alert, and what is wrong now.
func (c *Console) showFinding(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	topics := deploy.Topics()
	i := slices.IndexFunc(topics, func(t deploy.Topic) bool {
		return name == t.Name || name == t.Alert()
	})
	if i < 0 {
		c.fail(w, r, http.StatusNotFound, "There is no finding and no alert of this name.")
		return
	}
	now := c.known(r.Context())
	view := findingView{Topic: topics[i], isRead: now.isRead() && now.Why == ""}
	for _, f := range now.Findings {
		if string(f.Name) == topics[i].Name {
			view.active = append(view.active, f)
		}
	}
	c.render(w, r, http.StatusOK, page{title: topics[i].Name, isLive: true}, finding(view))
}
