package fake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault is an instruction to misbehave. A fault concerns the calls that match Provider and Path and
// have valid credentials. If several faults fire at one call, delays add up, all data faults apply,
// and the first fault that replaces the response wins.
type Fault struct {
	// The calls.
	Provider string `json:"provider,omitempty"` // empty means all
	Path     string `json:"path,omitempty"`     // endpoint or part of a path; empty: all
	Times    int    `json:"times,omitempty"`    // fire so often; 0 means until cleared
	Every    int    `json:"every,omitempty"`    // fire at every n-th of the calls; 0 means at each

	// The replacement of the response.
	Status     int               `json:"status,omitempty"`      // with the provider's body
	RetryAfter string            `json:"retry_after,omitempty"` // sent unchanged: seconds or a date
	Body       string            `json:"body,omitempty"`        // sent unchanged, with 200 by default
	Redirect   string            `json:"redirect,omitempty"`    // Status is 302 unless given
	Headers    map[string]string `json:"headers,omitempty"`

	// How the response is sent.
	Delay Duration `json:"delay,omitempty"`
	Cut   int      `json:"cut,omitempty"` // close the connection after so many bytes of the body

	// Errors of the data.
	Stale        bool    `json:"stale,omitempty"`         // refreshed_at or the status is too old
	Missing      Missing `json:"missing,omitzero"`        // records not there yet
	RepeatCursor bool    `json:"repeat_cursor,omitempty"` // the next page is the same
}

// FaultState is a Fault with its counts.
type FaultState struct {
	ID string `json:"id"`
	Fault
	Matched int `json:"matched"`
	Fired   int `json:"fired"`
}

// Duration is spelt "1m30s" in JSON.
type Duration time.Duration

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration and refuses a negative duration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err == nil && parsed < 0 {
		err = fmt.Errorf("duration %s is negative", text)
	}
	*d = Duration(parsed)
	return err
}

// Missing names the records to leave out. In JSON Missing is a list of ids, or true for every id
// announced by a webhook.
type Missing struct {
	Announced bool
	IDs       []string
}

// MarshalJSON is the inverse of UnmarshalJSON.
func (m Missing) MarshalJSON() ([]byte, error) {
	if m.Announced {
		return encode(true), nil
	}
	return encode(m.IDs), nil
}

// UnmarshalJSON reads true, false or a list of ids.
func (m *Missing) UnmarshalJSON(text []byte) error {
	*m = Missing{}
	if json.Unmarshal(text, &m.Announced) == nil {
		return nil
	}
	if json.Unmarshal(text, &m.IDs) == nil {
		return nil
	}
	return errors.New("missing: neither true nor a list of ids")
}

// validate returns an error if the fault could never do what it says.
func (t Fault) validate() error {
	if t.Provider != "" {
		if _, err := lookup(t.Provider); err != nil {
			return err
		}
	}
	switch {
	case t.Times < 0 || t.Every < 0 || t.Cut < 0 || t.Delay < 0:
		return errors.New("times, every, cut and delay must not be negative")
	case t.Status != 0 && (t.Status < 200 || t.Status > 599):
		return fmt.Errorf("status %d is not between 200 and 599", t.Status)
	case t.Status != 0 && t.Status < 400 && t.Body == "" && t.Redirect == "":
		return fmt.Errorf("status %d needs a body or a redirect", t.Status)
	case !t.replaces() && !t.spoils() && len(t.Headers) == 0 && t.RetryAfter == "":
		return errors.New("the fault does nothing")
	default:
		return nil
	}
}

// replaces reports whether the fault replaces the response.
func (t Fault) replaces() bool { return t.Status != 0 || t.Body != "" || t.Redirect != "" }

// spoils reports whether the fault changes the data or how the response is sent.
func (t Fault) spoils() bool {
	missing := t.Missing.Announced || len(t.Missing.IDs) > 0
	return t.Delay != 0 || t.Cut != 0 || t.Stale || missing || t.RepeatCursor
}

// faults are the instructions in force, oldest first.
type faults struct {
	made int
	list []*FaultState
}

// AddFault puts a fault in force and returns the fault with an id.
func (f *Providers) AddFault(t Fault) (FaultState, error) {
	if err := t.validate(); err != nil {
		return FaultState{}, fmt.Errorf("add fault: %w", err)
	}
	t.Headers = maps.Clone(t.Headers)
	t.Missing.IDs = slices.Clone(t.Missing.IDs)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults.made++
	s := FaultState{ID: fmt.Sprintf("fault-%d", f.faults.made), Fault: t}
	f.faults.list = append(f.faults.list, &s)
	return s, nil
}

// Faults lists the faults in force, oldest first.
func (f *Providers) Faults() []FaultState {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []FaultState{}
	for _, s := range f.faults.list {
		list = append(list, *s)
	}
	return list
}

// ClearFaults ends all misbehaviour.
func (f *Providers) ClearFaults() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults.list = nil
}

// fire counts and returns the faults that fire at a call.
func (f *Providers) fire(e endpoint, path string) fired {
	f.mu.Lock()
	defer f.mu.Unlock()
	var hits fired
	for _, s := range f.faults.list {
		if !s.matches(e, path, f.isEndpoint(s.Path)) {
			continue
		}
		s.Matched++
		skipped := s.Matched%max(s.Every, 1) != 0
		usedUp := s.Times > 0 && s.Fired >= s.Times
		if skipped || usedUp {
			continue
		}
		s.Fired++
		hits = append(hits, s.Fault)
	}
	return hits
}

// matches reports whether the fault concerns a call to the endpoint. isEndpoint says that the
// fault's path is the name of an endpoint. A fault never matches a path that is no endpoint.
func (t Fault) matches(e endpoint, path string, isEndpoint bool) bool {
	switch {
	case e.name == "" || t.Provider != "" && t.Provider != e.provider.name:
		return false
	case isEndpoint:
		return t.Path == e.name
	default:
		return strings.Contains(path, t.Path)
	}
}

// isEndpoint reports whether a fault's path is the name of an endpoint.
func (f *Providers) isEndpoint(path string) bool {
	return path != "" && slices.ContainsFunc(f.endpoints, func(e endpoint) bool {
		return e.name == path
	})
}

// fired is the list of a call's faults, oldest first.
type fired []Fault

func (hits fired) has(is func(Fault) bool) bool { return slices.ContainsFunc(hits, is) }

func (hits fired) stale() bool {
	return hits.has(func(t Fault) bool { return t.Stale })
}

func (hits fired) repeatCursor() bool {
	return hits.has(func(t Fault) bool { return t.RepeatCursor })
}

func (hits fired) leaveOut(id string, announced bool) bool {
	return hits.has(func(t Fault) bool {
		return t.Missing.Announced && announced || slices.Contains(t.Missing.IDs, id)
	})
}

func (hits fired) delay() time.Duration {
	var sum Duration
	for _, t := range hits {
		sum += t.Delay
	}
	return time.Duration(sum)
}

// cut returns after how many bytes of the body the connection is closed. 0 means never.
func (hits fired) cut() int {
	for _, t := range hits {
		if t.Cut > 0 {
			return t.Cut
		}
	}
	return 0
}

// replaceReply applies the faults to the right response.
func (hits fired) replaceReply(provider provider, right reply) reply {
	response := right
	for _, t := range hits {
		if t.replaces() {
			response = t.reply(provider)
			break
		}
	}
	header := maps.Clone(response.header)
	if header == nil {
		header = make(map[string]string)
	}
	for _, t := range slices.Backward(hits) {
		maps.Copy(header, t.headers())
	}
	response.header = header
	return response
}

// reply makes the response of the fault.
func (t Fault) reply(provider provider) reply {
	switch {
	case t.Redirect != "":
		return reply{
			status: cmp.Or(t.Status, http.StatusFound),
			header: map[string]string{"Location": t.Redirect},
			body:   []byte(t.Body),
		}
	case t.Body != "":
		response := reply{status: cmp.Or(t.Status, http.StatusOK), body: []byte(t.Body)}
		if strings.HasPrefix(t.Body, "<") {
			response.header = map[string]string{"Content-Type": "text/html"}
		}
		return response
	default:
		return provider.fail(t.Status, t.RetryAfter)
	}
}

func (t Fault) headers() map[string]string {
	if t.RetryAfter == "" {
		return t.Headers
	}
	headers := map[string]string{"Retry-After": t.RetryAfter}
	maps.Copy(headers, t.Headers)
	return headers
}
