package console

import (
	"net/url"

	"github.com/a-h/templ"

	"github.com/wagewire/wagewire/schema"
)

// queuePath is the address of the page of a queue.
func queuePath(name string) templ.SafeURL {
	return templ.SafeURL("/queues/" + url.PathEscape(name))
}

// eventPath is the address of the page of an event. The key is that of schema.Event.Key.
func eventPath(key string) templ.SafeURL {
	return templ.SafeURL("/events/" + url.PathEscape(key))
}

// accountPath is the address of the page of an account, by the account's token.
func accountPath(p schema.Provider, token string) templ.SafeURL {
	return templ.SafeURL("/accounts/" + url.PathEscape(string(p)) + "/" + url.PathEscape(token))
}

// lettersPath is the address of the list of a queue's dead letters of a class.
func lettersPath(queue string, class schema.Class) templ.SafeURL {
	query := url.Values{"queue": {queue}, "class": {string(class)}}
	return templ.SafeURL("/dead?" + query.Encode())
}
