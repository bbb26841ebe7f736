package fake

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config is the agreement of the providers and their customer. The zero value is usable, but
// sending needs WebhookURL.
type Config struct {
	// Secrets holds the secret of a provider by the provider's name. An absent provider uses
	// the published secret of Secret.
	Secrets map[string]string

	// WebhookURL is where webhooks are sent: to <WebhookURL>/<provider's name>.
	WebhookURL string

	// PageMax is the size of the largest page, whatever limit a call asks for. Zero means the
	// provider's own maximum.
	PageMax int

	// RetryWait is the wait before a webhook is repeated for the first time. Zero means the
	// provider's own, about half a minute.
	RetryWait time.Duration

	// Transport sends the webhooks. Nil means a transport of the Providers' own.
	Transport http.RoundTripper

	Now func() time.Time // nil means time.Now
}

// Providers is all fake providers as a single http.Handler, safe for concurrent use.
type Providers struct {
	config       Config
	now          func() time.Time
	mux          *http.ServeMux
	client       *http.Client
	endpoints    []endpoint
	registration string // id of the customer's registration for webhooks
	done         chan struct{}
	close        sync.Once

	mu      sync.Mutex
	secrets map[string]string // of SetSecret, by provider
	people  []*Person
	byID    map[string]*Person // by every id of the person, at any provider
	faults  faults
	calls   Calls
	arrived []Arrival // oldest first, at most arrivedMax
	sent    []Sent    // oldest first, at most sentMax
	// subscriptions are the customer's registrations for webhooks, oldest first.
	subscriptions []*Subscription
	deliveries    []delivery // oldest first, at most deliveriesMax
	// recordings are the answers of fixtures, by recordingKey.
	recordings map[string]*recording
	played     map[string]bool // by provider and id of a fixture's webhook
}

// New makes a Providers without people.
func New(config Config) *Providers {
	f := &Providers{
		config:       config,
		now:          config.Now,
		mux:          http.NewServeMux(),
		client:       newClient(config.Transport),
		registration: newUUID(),
		done:         make(chan struct{}),
		secrets:      make(map[string]string),
		byID:         make(map[string]*Person),
		calls:        newCalls(),
		recordings:   make(map[string]*recording),
		played:       make(map[string]bool),
	}
	if f.now == nil {
		f.now = time.Now
	}
	for _, provider := range providers {
		other := endpoint{serve: func(*http.Request, fired) reply {
			return provider.fail(http.StatusNotFound, "")
		}}
		for _, e := range append(provider.endpoints(f), other) {
			e.provider = provider
			f.endpoints = append(f.endpoints, e)
			f.mux.Handle(e.pattern(), f.handler(e))
		}
	}
	f.routeControl()
	return f
}

// Close ends every slow response and every wait for a redelivery.
func (f *Providers) Close() {
	f.close.Do(func() { close(f.done) })
	f.client.CloseIdleConnections()
}

// ServeHTTP serves /<provider's name>/… and /control/….
func (f *Providers) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

// secret returns the secret that a provider and its customer share.
func (f *Providers) secret(p provider) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return cmp.Or(f.secrets[p.name], f.config.Secrets[p.name], p.secret)
}

// SetSecret changes a provider's secret, as the end of a rotation at the provider does: the secret
// from before signs no webhook and opens no API any more.
func (f *Providers) SetSecret(name, secret string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets[name] = secret
}

// endpoint is a kind of call to a provider. A fault's path may be an endpoint's name.
type endpoint struct {
	provider provider // set by New
	name     string   // empty: faults do not concern the endpoint
	path     string   // a pattern of http.ServeMux; empty means every other path
	method   string   // empty means GET
	serve    func(*http.Request, fired) reply
}

func (e endpoint) pattern() string {
	if e.path == "" {
		return "/" + e.provider.name + "/"
	}
	return cmp.Or(e.method, http.MethodGet) + " /" + e.provider.name + e.path
}

// label is the key of a call in Calls: "pinwheel GET /v1/accounts/{account_id}".
func (e endpoint) label(method string) string {
	path := cmp.Or(strings.TrimSuffix(e.path, "{$}"), "other")
	return e.provider.name + " " + method + " " + path
}

// reply is the response of a provider.
type reply struct {
	status int
	header map[string]string
	body   []byte
}

// handler answers the calls to an endpoint: count the call, check the credentials and the right to
// the data of the person, apply faults, respond.
func (f *Providers) handler(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.countCall(e, r.Method)
		var faults fired
		response, refused := e.provider.refuse(f.secret(e.provider), r)
		if !refused && f.isForbidden(r.URL.Path) {
			response = e.provider.fail(http.StatusForbidden, "")
			refused = true
		}
		if !refused {
			faults = f.fire(e, r.URL.Path)
			f.delay(r, faults.delay())
			right, isRecorded := f.recorded(e.provider.name, r)
			if !isRecorded {
				right = e.serve(r, faults)
			}
			response = faults.replaceReply(e.provider, right)
		}
		f.countStatus(response.status)
		if e.provider.annotate != nil {
			e.provider.annotate(w.Header(), r)
		}
		writeReply(w, response, faults.cut())
	})
}

// writeReply writes the response. If cut is not 0, writeReply closes the connection after cut bytes
// of the body.
func writeReply(w http.ResponseWriter, response reply, cut int) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", fmt.Sprint(len(response.body)))
	for name, value := range response.header {
		header.Set(name, value)
	}
	w.WriteHeader(response.status)
	if cut > 0 && cut < len(response.body) {
		_, _ = w.Write(response.body[:cut])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // closes the connection
	}
	_, _ = w.Write(response.body)
}

// delay holds a call for a while, and closes the connection if the caller or the Providers goes
// away before the end.
func (f *Providers) delay(r *http.Request, d time.Duration) {
	if d > 0 && f.pause(r.Context(), d) != nil {
		panic(http.ErrAbortHandler)
	}
}

// find returns the person with the id, nil if there is none.
func (f *Providers) find(id string) *Person {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byID[id]
}

// isForbidden reports whether a path names a forbidden person.
func (f *Providers) isForbidden(path string) bool {
	for id := range strings.SplitSeq(path, "/") {
		if p := f.find(id); p != nil && p.forbidden {
			return true
		}
	}
	return false
}

// WriteError writes the provider's own response with the status. retryAfter is sent unchanged,
// unless it is empty. WriteError is for a handler in front of Providers. It fails if the provider
// has no fake.
func WriteError(w http.ResponseWriter, name string, status int, retryAfter string) error {
	p, err := lookup(name)
	if err != nil {
		return err
	}
	t := Fault{Status: status, RetryAfter: retryAfter}
	writeReply(w, fired{t}.replaceReply(p, reply{}), 0)
	return nil
}

// Calls counts calls to the APIs.
type Calls struct {
	Total    int            `json:"total"`
	Calls    map[string]int `json:"calls"`    // by endpoint.label
	Statuses map[string]int `json:"statuses"` // by "200"; a call without a response yet has none
}

func newCalls() Calls {
	return Calls{Calls: make(map[string]int), Statuses: make(map[string]int)}
}

// Calls counts the calls since the last ResetCalls. A call counts from the arrival.
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

// Arrival is the arrival of a call at the API of a provider.
type Arrival struct {
	Provider string    `json:"provider"`
	At       time.Time `json:"at"`
}

// arrivedMax is how many arrivals a Providers remembers.
const arrivedMax = 20_000

// Arrivals lists the arrivals of the last calls since the last ResetCalls, oldest first. They show
// how many calls came within a second.
func (f *Providers) Arrivals() []Arrival {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Arrival{}, f.arrived...)
}

// ResetCalls sets all counts to zero, and forgets the arrivals.
func (f *Providers) ResetCalls() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = newCalls()
	f.arrived = nil
}

func (f *Providers) countCall(e endpoint, method string) {
	label := e.label(method)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls.Total++
	f.calls.Calls[label]++
	f.arrived = append(f.arrived, Arrival{Provider: e.provider.name, At: time.Now()})
	if extra := len(f.arrived) - arrivedMax; extra > 0 {
		f.arrived = f.arrived[extra:]
	}
}

func (f *Providers) countStatus(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls.Statuses[fmt.Sprint(status)]++
}
