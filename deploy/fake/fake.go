package fake

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config is what both providers and their customer have agreed on. The zero
// value of each field but the secrets is usable.
type Config struct {
	PinwheelSecret string // the x-api-secret, and the key that signs webhooks
	TruvClientID   string // the X-Access-Client-Id
	TruvSecret     string // the X-Access-Secret, and the key that signs webhooks

	// WebhookURL is where webhooks are sent: <WebhookURL>/pinwheel and
	// <WebhookURL>/truv.
	WebhookURL string

	// PageMax is the size of the largest page, whatever limit asks for.
	// Zero means Pinwheel's 100.
	PageMax int

	// RetryWait is the wait before a webhook is sent again the first time.
	// Zero means the provider's own, about half a minute.
	RetryWait time.Duration

	Now func() time.Time // nil means time.Now
}

// A Providers is Pinwheel and Truv as one http.Handler. It is safe for concurrent
// use.
type Providers struct {
	config    Config
	now       func() time.Time
	mux       *http.ServeMux
	client    *http.Client
	api       []endpoint
	webhookID string // x-pinwheel-webhook-id names the registration, not the delivery
	done      chan struct{}
	close     sync.Once

	mu     sync.Mutex
	people []*Person
	byID   map[string]*Person // by account, end user and link
	faults faults
	calls  Calls
	sent   []Sent // oldest first, at most sentMax
}

// New makes a Providers that knows nobody.
func New(config Config) *Providers {
	f := &Providers{
		config:    config,
		now:       config.Now,
		mux:       http.NewServeMux(),
		client:    newClient(),
		webhookID: newUUID(),
		done:      make(chan struct{}),
		byID:      make(map[string]*Person),
		calls:     newCalls(),
	}
	if f.now == nil {
		f.now = time.Now
	}
	f.config.PageMax = cmp.Or(config.PageMax, pageMax)
	f.api = f.endpoints()
	for _, e := range f.api {
		f.mux.Handle(e.pattern(), f.serve(e))
	}
	f.routeControl()
	return f
}

// Close ends every slow answer and every wait for a redelivery.
func (f *Providers) Close() {
	f.close.Do(func() { close(f.done) })
	f.client.CloseIdleConnections()
}

// ServeHTTP answers /pinwheel/v1/…, /truv/v1/… and /control/….
func (f *Providers) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

// An endpoint is one call that a provider answers. Its name is what a fault's
// path may say.
type endpoint struct {
	provider string
	name     string
	path     string // a pattern of http.ServeMux; "" is every other path
	answer   func(*http.Request, fired) reply
}

func (f *Providers) endpoints() []endpoint {
	return []endpoint{
		{Pinwheel, "account", "/v1/accounts/{account_id}", f.account},
		{Pinwheel, "employment", "/v1/accounts/{account_id}/employment", f.employment},
		{Pinwheel, "identity", "/v1/accounts/{account_id}/identity", f.identity},
		{Pinwheel, "income", "/v1/accounts/{account_id}/income", f.income},
		{Pinwheel, "paystubs", "/v1/accounts/{account_id}/paystubs", f.paystubs},
		{Pinwheel, "paystub", "/v1/accounts/{account_id}/paystubs/{paystub_id}", f.paystub},
		{Pinwheel, "shifts", "/v1/accounts/{account_id}/shifts", f.shifts},
		{Pinwheel, "voe", "/v1/end_users/{end_user_id}/verification_reports/voe", f.voe},
		{Pinwheel, "voie", "/v1/end_users/{end_user_id}/verification_reports/voie", f.voie},
		{Pinwheel, "", "", f.unknownPath(Pinwheel)},
		{Truv, "link", "/v1/links/{link_id}/{$}", f.link},
		{Truv, "", "/v1/links/{link_id}", addSlash},
		{Truv, "", "", f.unknownPath(Truv)},
	}
}

func (e endpoint) pattern() string {
	if e.path == "" {
		return "/" + e.provider + "/"
	}
	return "GET /" + e.provider + e.path
}

// label is how calls are counted: "pinwheel GET /v1/accounts/{account_id}".
func (e endpoint) label(method string) string {
	return e.provider + " " + method + " " + cmp.Or(strings.TrimSuffix(e.path, "{$}"), "other")
}

// A reply is what a provider answers.
type reply struct {
	status int
	header map[string]string
	body   []byte
}

// serve answers one call: count, check the credentials, misbehave, answer.
func (f *Providers) serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.countCall(e.label(r.Method))
		answer, ok := f.refuse(e.provider, r)
		var faults fired
		if !ok {
			faults = f.fire(e, r.URL.Path)
			f.delay(r, faults.delay())
			answer = faults.spoil(e.provider, e.answer(r, faults))
		}
		f.countStatus(answer.status)
		header := w.Header()
		if e.provider == Pinwheel {
			header.Set("Pinwheel-Version", r.Header.Get("Pinwheel-Version"))
			header.Set("X-Pinwheel-Request-Id", newUUID())
		}
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", fmt.Sprint(len(answer.body)))
		for name, value := range answer.header {
			header.Set(name, value)
		}
		w.WriteHeader(answer.status)
		if n := faults.cut(); n > 0 && n < len(answer.body) {
			_, _ = w.Write(answer.body[:n])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // the connection is closed under the reader
		}
		_, _ = w.Write(answer.body)
	})
}

// delay holds a call back. The connection is closed if the caller or the Providers
// has gone away meanwhile.
func (f *Providers) delay(r *http.Request, d time.Duration) {
	if d > 0 && f.pause(r.Context(), d) != nil {
		panic(http.ErrAbortHandler)
	}
}

// refuse answers a call that has not the provider's credentials.
func (f *Providers) refuse(provider string, r *http.Request) (reply, bool) {
	if provider == Pinwheel {
		return refusePinwheel(f.config, r)
	}
	return refuseTruv(f.config, r)
}

func (f *Providers) unknownPath(provider string) func(*http.Request, fired) reply {
	return func(*http.Request, fired) reply { return errorReply(provider, http.StatusNotFound, "") }
}

// errorReply is the error that a provider answers with a status.
func errorReply(provider string, status int, retryAfter string) reply {
	if provider == Pinwheel {
		return pinwheelError(status, "")
	}
	return truvError(status, retryAfter)
}

// find is the person whose account, end user or link has the id.
func (f *Providers) find(id string) *Person {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byID[id]
}

// Calls says how often the API was called.
type Calls struct {
	Total    int            `json:"total"`
	Calls    map[string]int `json:"calls"`    // by "pinwheel GET /v1/accounts/{account_id}/paystubs"
	Statuses map[string]int `json:"statuses"` // by "200"; a call that is not answered yet has none
}

func newCalls() Calls {
	return Calls{Calls: make(map[string]int), Statuses: make(map[string]int)}
}

// Calls counts the calls since the last ResetCalls. A call counts from when it
// arrives.
func (f *Providers) Calls() Calls {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := newCalls()
	c.Total = f.calls.Total
	for label, n := range f.calls.Calls {
		c.Calls[label] = n
	}
	for status, n := range f.calls.Statuses {
		c.Statuses[status] = n
	}
	return c
}

// ResetCalls counts from zero.
func (f *Providers) ResetCalls() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = newCalls()
}

func (f *Providers) countCall(label string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls.Total++
	f.calls.Calls[label]++
}

func (f *Providers) countStatus(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls.Statuses[fmt.Sprint(status)]++
}
