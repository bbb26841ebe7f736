// Package api is what our clients of provider APIs share: a GET that is
// paced, held, limited and retried. It knows no provider; packages pinwheel
// and truv say which URL, which credentials and what an answer must look like.
//
// It stands apart from them because everything hard about calling a provider is
// the same for both, and hard enough that two copies would drift apart.
//
// One Get, and everything that can become of it:
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
// The last transient error is returned when the time for retries is used up.
// A 429 is never returned while ctx lives, and uses none of that time.
//
// # Errors
//
// Each error can be told apart with errors.As or errors.Is, alone, without
// reading its text:
//
//	*StatusError     the API answered with another status than 200
//	*NetworkError    no whole answer: dial, TLS, reset, time-out, body cut
//	*ContractError   a whole answer, and not what the API promises
//	ErrID            an id that cannot stand in a path; nothing was sent
//	ErrCredentials   Config.Header gave none; nothing was sent
//	ctx.Err()        the caller's ctx ended; joined with the last of the above
//
// errors.Is(err, context.Canceled) and context.DeadlineExceeded are true only
// of the caller's own ctx, never of a try that ran out of time.
//
// An error names the endpoint by its template. It never holds an id, a query,
// a body or a credential.
package api
