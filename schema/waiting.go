package schema

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Failures counts the failed attempts at an event, by class. A waiting event carries its failures.
// Restarts, pauses and deliveries count nothing.
type Failures map[Class]int

// With returns the failures and one more of the class.
func (f Failures) With(c Class) Failures {
	more := Failures{}
	maps.Copy(more, f)
	more[c]++
	return more
}

// Total is the number of failures of all classes.
func (f Failures) Total() int {
	total := 0
	for _, n := range f {
		total += n
	}
	return total
}

// String is the form in a header: "not_ready=1 transient=3".
func (f Failures) String() string {
	var b strings.Builder
	for i, class := range slices.Sorted(maps.Keys(f)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%d", class, f[class])
	}
	return b.String()
}

// ParseFailures reads the form of String.
func ParseFailures(text string) (Failures, error) {
	failures := Failures{}
	for field := range strings.FieldsSeq(text) {
		class, number, _ := strings.Cut(field, "=")
		n, err := strconv.Atoi(number)
		if err != nil || class == "" || n < 1 {
			return nil, fmt.Errorf("%q is not <class>=<number>", field)
		}
		failures[Class(class)] = n
	}
	return failures, nil
}

// Wait says why an event waits, and for how long.
type Wait struct {
	// Class is the class of the last failure.
	Class Class
	// Status is the HTTP status of the provider's last answer, 0 without an answer.
	Status int
	// Endpoint is the provider's endpoint, without ids. It is "" if none was called.
	Endpoint string
	// Step is the step of the ladder, from 1, and Steps the length of the ladder. Both are 0 if the
	// event waits without a ladder.
	Step  int
	Steps int
	// Since is the beginning of the wait, and Until its end.
	Since time.Time
	Until time.Time
	// Failures are all failures of the event until now.
	Failures Failures
	// ProviderTook is how long the provider made the event wait until Since, over all attempts and
	// waits: its calls, and the waits that it caused. An earlier release wrote none.
	ProviderTook time.Duration
	// TraceParent is the W3C trace context of the last attempt, or "" without one.
	TraceParent string
	// Progress names the records that the attempts until now have fetched, nil without any.
	Progress *RecordsRef
}

// Pause is the state of a queue whose provider refuses our credentials. The queue takes no events.
// One event at a time asks the provider again.
type Pause struct {
	Queue string `json:"queue"`
	// Paused is false once the provider has accepted the credentials again.
	Paused bool `json:"paused"`
	// Since is the beginning of the state.
	Since time.Time `json:"since"`
	// Class is unauthorized, or forbidden after refusals about many accounts without one success.
	Class Class `json:"class,omitempty"`
	// Status and Endpoint describe the last refusal, as in Wait.
	Status   int    `json:"status,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	// ProbeAt is when an event asks again.
	ProbeAt time.Time `json:"probe_at,omitzero"`
	// Probes counts the refused probes.
	Probes int `json:"probes,omitempty"`
}
