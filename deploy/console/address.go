package console

import (
	"net/url"

	"github.com/a-h/templ"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

// queuePath is the address of the page of a queue.
func queuePath(name string) templ.SafeURL {
	return templ.SafeURL("/queues/" + url.PathEscape(name))
}

// eventPath is the address of the page of an event. The key is that of schema.Event.Key.
func eventPath(key string) templ.SafeURL {
	return templ.SafeURL(process.Console("").Event(key))
}

// accountPath is the address of the page of an account, by the account's token.
func accountPath(p schema.Provider, token string) templ.SafeURL {
	return templ.SafeURL(process.Console("").Account(string(p), token))
}

// letterPath is the address of the page of a dead letter.
func letterPath(number uint64) templ.SafeURL {
	return templ.SafeURL(process.Console("").Letter(number))
}

// unreadPath is the address of the page of a webhook in quarantine.
func unreadPath(number uint64) templ.SafeURL {
	return templ.SafeURL(process.Console("").Quarantined(number))
}

// findingPath is the address of the page of a kind of finding.
func findingPath(name string) templ.SafeURL {
	return templ.SafeURL(process.Console("").Finding(name))
}

// searchPath is the address of the search for a name.
func searchPath(name string) templ.SafeURL {
	return templ.SafeURL("/search?" + url.Values{"q": {name}}.Encode())
}

// lettersPath is the address of the list of a queue's dead letters of a class.
func lettersPath(queue string, class schema.Class) templ.SafeURL {
	query := url.Values{"queue": {queue}, "class": {string(class)}}
	return templ.SafeURL("/dead?" + query.Encode())
}
