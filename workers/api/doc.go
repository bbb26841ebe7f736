// Package api is the part that our clients of provider APIs share: a GET at a pace, with limits
// and retries, and lists in pages. Package api knows no provider. Packages
// pinwheel and truv add the credentials, the endpoints and the shape of the answers.
//
// One Get, and every way in which it can end:
//
//	      ┌─ 429: hold everyone ── 401: take the next secret ─┐
//	      ▼                                                   │
//	Get ─ wait for a turn ── try ≤ 15 s ──────────────────────┤
//	      │ ▲                                                 │
//	      │ └─ pause, full jitter ── 5xx, 408, NetworkError ──┤ not longer than 20 s
//	      │                                                   │
//	      │          body ◄── 200, whole, JSON, ≤ 16 MiB ─────┤
//	      │ ContractError ◄── 200, anything else ─────────────┤
//	      │   StatusError ◄── 3xx, any other 4xx ─────────────┤
//	      │   StatusError ◄── 401 to every secret ────────────┘
//	      │
//	      └─ the rest of the hold is longer than 5 s ─► StatusError 429
//
// When the time for retries is used up, Get returns the last transient error. A 429 uses none of
// the time for retries, and holds every user of the Pace, also in other processes: nothing is sent
// during a hold. Get waits for the end of a hold that is near. If the end is far, Get returns a 429
// with the rest of the hold as RetryAfter, so that the caller can do other work in the meantime.
//
// An API can have several active secrets, for example while an operator changes one. A 401 is
// returned only after every secret was refused. A 403 is about the record, and changes no secret.
//
// Send makes a change, such as the registration for webhooks, in the same way and without the
// retries: after a failure nobody knows whether the change was made.
//
// # Files
//
//	client.go    Config, Dialect, Client, Get, Send
//	base.go      the beginning of every URL
//	secret.go    the secret of each try
//	try.go       a single try: the request, the exchange, the answer's status
//	read.go      the body of an answer, read within the memory for answers
//	body.go      what the body of a 200 must be
//	memory.go    the bytes of answers that a process may hold
//	retry.go     the pauses between tries, and Retry-After
//	endpoint.go  a path with escaped ids
//	record.go    records, snapshots, and the pages of a list
//	error.go     the errors below
//	code.go      the APIs' codes, fit for a log
//	time.go      the providers' times
//	text.go      texts that we can do without
//	pace/        the turns of the calls of all processes, and the hold after a 429
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
// An error names the endpoint by its template. The text of an error never holds an id, a query, a
// body, a credential, or a word of the API's choice: the API's codes come from a known list or are
// hashed.
//
// # Libraries
//
// The pauses are cenkalti/backoff, and the memory for answers is golang.org/x/sync/semaphore. The
// retries are written here, because retrying HTTP clients such as hashicorp/go-retryablehttp delay
// a single call after a 429. They also measure a Retry-After date by our clock, and put URLs into
// errors.
package api
