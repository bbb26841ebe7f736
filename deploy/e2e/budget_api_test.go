package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// call is a call that has arrived at a countedAPI.
type call struct {
	at time.Time
	// resource and account are in the path of the call.
	resource string
	account  string
}

// countedAPI is the API of Pinwheel as far as employment, identity and income go. It notes when
// each call arrives, and answers at once.
type countedAPI struct {
	*httptest.Server

	mu    sync.Mutex
	calls []call
	// answer answers the next call alone. If answer is nil, the call is answered with a record.
	answer http.HandlerFunc
}

func newCountedAPI(t *testing.T) *countedAPI {
	t.Helper()
	a := &countedAPI{}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *countedAPI) serve(w http.ResponseWriter, r *http.Request) {
	// The path is /v1/accounts/{account}/{resource}.
	path := strings.Split(r.URL.Path, "/")
	a.note(path[4], path[3])(w, r)
}

// note notes a call, and returns how to answer the call.
func (a *countedAPI) note(resource, account string) http.HandlerFunc {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call{at: time.Now(), resource: resource, account: account})
	answer := a.answer
	a.answer = nil
	if answer == nil {
		return writeRecord
	}
	return answer
}

func writeRecord(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `{"data":{"id":"a-record"},"meta":{}}`)
}

// answerNext lets the handler answer the next call.
func (a *countedAPI) answerNext(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = h
}

// all returns the calls so far, in the order of their arrival.
func (a *countedAPI) all() []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

func (a *countedAPI) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.calls)
}

// await waits until n calls have arrived since the start, and returns all calls so far.
func (a *countedAPI) await(t *testing.T, n int) []call {
	t.Helper()
	streamtest.Eventually(t, fmt.Sprintf("%d calls", n), func() bool { return a.count() >= n })
	return a.all()
}

// between returns the calls that arrived after from and before to.
func between(calls []call, from, to time.Time) []call {
	var some []call
	for _, c := range calls {
		if c.at.After(from) && c.at.Before(to) {
			some = append(some, c)
		}
	}
	return some
}

// arrivals returns when calls arrived.
func arrivals(calls []call) []time.Time {
	times := make([]time.Time, len(calls))
	for i, c := range calls {
		times[i] = c.at
	}
	return times
}
