package console

import (
	"fmt"
	"net/http"
	"time"
)

const (
	// heartbeatEvery is the time between two signs of life to an open page. At each of them the
	// person is looked at again.
	heartbeatEvery = 5 * time.Second
	// writeFor is how long a browser may take for a sign of life.
	writeFor = 10 * time.Second
	// openMax is how many pages may be open at a time. A further one does not update itself.
	openMax = 500
)

// hello begins the stream. Something may have changed after the page was made and before it
// listens, or while its connection was cut, so the page reloads its part once.
const hello = ": open\n\nevent: state\ndata: changed\n\n" +
	"event: completion\ndata: changed\n\nevent: run\ndata: changed\n\n"

// sendChanges tells an open page over server-sent events that something is new: "state" after each
// reading of the broker. The page then reloads its parts. The stream ends when the console stops,
// and when the person may read no more.
func (c *Console) sendChanges(w http.ResponseWriter, r *http.Request) {
	select {
	case c.open <- struct{}{}:
		defer func() { <-c.open }()
	default:
		c.fail(w, r, http.StatusServiceUnavailable, "Too many pages are open.")
		return
	}
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	_, state := c.watch.get()
	_, feed := c.feed.get()
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
			_, feed = c.feed.get()
			text = "event: completion\ndata: changed\n\n"
		case <-runs:
			runs = c.runs.change()
			text = "event: run\ndata: changed\n\n"
		case <-heartbeat.C:
			text = ": here\n\n"
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
