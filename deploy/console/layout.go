package console

import "strings"

// htmxConfig: no style of htmx's own, which the policy forbids, no history, and what a person has
// opened on a live page stays open.
const htmxConfig = `{"includeIndicatorCSS":false,"history":false,` +
	`"morphIgnore":["data-htmx-powered","open"]}`

// link is an entry of the navigation.
type link struct{ title, path string }

func navigation() []link {
	return []link{
		{"Overview", "/"},
		{"Feed", "/feed"},
		{"Queues", "/queues"},
		{"Dead letters", "/dead"},
		{"Quarantine", "/quarantine"},
		{"Providers", "/providers"},
		{"Teams", "/teams"},
	}
}

// isWithin reports whether a page belongs to an entry of the navigation.
func isWithin(path, entry string) bool {
	return path == entry || entry != "/" && strings.HasPrefix(path, entry+"/")
}

// trigger are the events after which htmx loads the part of a live page again.
func (f frame) trigger() string {
	const state = "state from:body"
	if f.on == "" {
		return state
	}
	return state + ", " + f.on + " from:body"
}
