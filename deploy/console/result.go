package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// resultFor is how long the result of an action is kept for the page that follows.
	resultFor = time.Hour
	// resultsMax is how many results are kept: a further one ends the oldest.
	resultsMax = 200
)

// results are what the last actions did, for the page to which the browser is led after a form. The
// log has them for good.
type results struct {
	mu   sync.Mutex
	list []resultOf // oldest first
}

type resultOf struct {
	id, path, text string
	at             time.Time
}

// add keeps a text for a page, and returns the address to which the browser is led.
func (s *results) add(path, text string, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, resultOf{rand.Text(), path, text, now})
	s.list = s.list[max(0, len(s.list)-resultsMax):]
	return path + "?" + url.Values{"done": {s.list[len(s.list)-1].id}}.Encode()
}

// find returns the result for the page of the request, and the zero value if there is none, or no
// more.
func (s *results) find(r *http.Request) resultOf {
	id := r.URL.Query().Get("done")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.list {
		if one.id == id && one.path == r.URL.EscapedPath() && time.Since(one.at) < resultFor {
			return one
		}
	}
	return resultOf{}
}
