// Package api is the part that our clients of provider APIs share: a GET with a rate, a hold
// after 429, limits and retries, and lists in pages. Package api knows no provider. Packages
// pinwheel and truv add the credentials, the endpoints and the shape of the answers.
//
// One Get, and every way in which it can end:
//
//	      ┌──────────────────────────── 429: hold everyone ───┐
//	      ▼                                                   │
//	Get ─ wait for the hold ─ wait for a token ─ try ≤ 15 s ──┤
//	      ▲                                                   │
//	      └─ pause, full jitter ── 5xx, 408, NetworkError ────┤ not longer than 20 s
//	                                                          │
//	             body  ◄── 200, whole, JSON, ≤ 16 MiB ────────┤
//	ContractError      ◄── 200, anything else ────────────────┤
//	StatusError        ◄── 3xx, any other 4xx ────────────────┘
//
// When the time for retries is used up, Get returns the last transient error. Get never returns a
// 429 while ctx lives, and a 429 uses none of the time for retries.
//
// # Files
//
//	client.go    Config, Dialect, Client, Get
//	try.go       a single try: the request, the exchange, the answer's status
//	read.go      the body of an answer, read within the budget
//	budget.go    the bytes of answers that a process may hold
//	retry.go     the pauses between tries, and Retry-After
//	throttle.go  the hold after a 429
//	endpoint.go  a path with escaped ids
//	record.go    records, snapshots, and the pages of a list
//	part.go      the members and elements of an answer, without copies
//	error.go     the errors below
//	time.go      the providers' times
//
// # Errors
//
// errors.As or errors.Is tells each error apart, alone, without its text:
//
//	*StatusError     the API answered with another status than 200
//	*NetworkError    no whole answer: dial, TLS, reset, time-out, body cut
//	*ContractError   a whole answer, against the API's promise
//	ErrID            an id that cannot stand in a path; nothing was sent
//	ErrCredentials   no usable secret; nothing was sent
//	ctx.Err()        the caller's ctx ended; joined with the last of the above
//
// errors.Is(err, context.Canceled) and context.DeadlineExceeded are true only of the caller's own
// ctx, never of a try that ran out of time.
//
// An error names the endpoint by its template, and never holds an id, a query, a body or a
// credential.
//
// # Libraries
//
// The rate is golang.org/x/time/rate, the pauses are cenkalti/backoff, and the budget is
// golang.org/x/sync/semaphore. The hold is written here, because retrying HTTP clients such as
// hashicorp/go-retryablehttp delay a single call after a 429. They also measure a Retry-After date
// by our clock, and put URLs into errors.
package api
