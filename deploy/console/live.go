package console

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// heartbeatEvery is the time between two signs of life to an open page: static/live.js says on
	// the page if they stay away. At each of them the person is looked at again.
	heartbeatEvery = 5 * time.Second
	// openMax is how many pages may be open at a time, and openShare how many of them a person, or
	// the strangers of an address. A further one does not update itself.
	openMax   = 500
	openShare = 50
)

// openPages counts the open pages of each person, and of the strangers of each address. It is safe
// for concurrent use.
type openPages struct {
	mu    sync.Mutex
	total int
	of    map[string]int
}

// enter takes a place. It returns false if there is none.
func (o *openPages) enter(whose string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.total == openMax || o.of[whose] == openShare {
		return false
	}
	o.total++
	o.of[whose]++
	return true
}

func (o *openPages) leave(whose string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total--
	o.of[whose]--
	if o.of[whose] == 0 {
		delete(o.of, whose)
	}
}

// opener names who has an open page: the person, or the address of a stranger.
func opener(r *http.Request) string {
	if p := personOf(r); p.isKnown() {
		return "person " + p.name
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return "address " + host
}

// hello begins the stream. Something may have changed after the page was made and before it
// listens, or while its connection was cut, so the page reloads its part once.
const hello = ": open\n\nevent: state\ndata: changed\n\n" +
	"event: completion\ndata: changed\n\nevent: run\ndata: changed\n\n"

// sendChanges tells an open page over server-sent events that something is new: "state" after each
// reading of the broker. The page then reloads its parts. The stream ends when the console stops,
// and when the person may read no more.
func (c *Console) sendChanges(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	whose := opener(r)
	if !c.open.enter(whose) {
		c.fail(w, r, http.StatusServiceUnavailable, "Too many pages are open.")
		return
	}
	defer c.open.leave(whose)
	out := http.NewResponseController(w)
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	_, state := c.watch.get()
	feed := c.feed.change()
	runs := c.runs.change()
	text := hello
	for {
		_ = out.SetWriteDeadline(time.Now().Add(writeFor)) // not every writer has deadlines
		if _, err := fmt.Fprint(w, text); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-state:
			_, state = c.watch.get()
			text = "event: state\ndata: changed\n\n"
		case <-feed:
			feed = c.feed.change()
			text = "event: completion\ndata: changed\n\n"
		case <-runs:
			runs = c.runs.change()
			text = "event: run\ndata: changed\n\n"
		case <-heartbeat.C:
			text = "event: here\ndata: here\n\n"
		case <-r.Context().Done():
			return
		case <-c.done:
			return
		}
		if p, _ := c.whoAsks(r); !c.mayRead(p) {
			return
		}
	}
}
