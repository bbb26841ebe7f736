// Package ingress receives webhooks over HTTP and answers them when they are stored.
//
// The line, in accept:
//
//	read     raw bytes, capped                         413, 415, 408, 400
//	verify   HMAC over exactly those bytes             401, or 429 in a flood of forgeries
//	parse    id, type, account                         quarantine, where they cannot be read
//	publish  stored durably, within PublishFor         200, or 503 with Retry-After
//
// # The custody rule
//
// An unsigned request gets only 4xx. A signed one gets only 200, stored or in quarantine, or 503: Pinwheel sends again after
// 5xx and for 15 minutes, Truv for about two, so that a 4xx of ours loses the event for good. A webhook whose sender hangs up
// is stored all the same: the publish has a budget of its own and does not end with the connection. statusOf is the one place
// where an error becomes an answer; what it does not know is our fault, a 503.
//
// What cannot be verified is unsigned, whoever sent it: a body over BodyBytesMax, one that was cut off or is encoded. One
// answer is given to anybody: 503 with InFlightMax requests in hand, before their bodies are read.
//
// The answer to a request that fails verification does not tell how it failed; the log and the metrics do. Only such requests
// count against the limit that answers 429: verification comes first, so that no flood of forgeries can use up what the
// provider needs.
//
// # Framing
//
// A request with both Transfer-Encoding and Content-Length could be refused as an attempt to smuggle a second one, but package
// net/http drops the Content-Length before a handler sees it. So every request in chunks is taken by its chunks and its connection
// closed after the answer, which is the other thing RFC 9112, 6.1 lets a server do: what stands behind it is never read.
// Paths are compared as they are: a ServeMux would answer //webhooks/truv with a redirect, which is neither 4xx nor 503.
//
// # Time
//
// The sender has ReadFor for the request. From its last byte on we have AnswerFor, and at most PublishFor of that waits for the
// broker. WriteFor is counted from the answer and not, as net/http does, from the request's header: a body that came late
// would otherwise leave no time to say that it is stored.
//
// # The end
//
// Run stops in the order in which others notice: readiness, then (after DrainFor) the listener, then requests in hand, then
// the admin listener. From the first of these on every answer says Connection: close. net/http closes idle connections when it
// shuts down, and a request that is on its way over one of them is lost with it: a sender that was hung up on politely has no
// such connection, and dials again, where it is sent elsewhere.
//
// The command drains for DefaultDrainFor if it has an admin listener. That is for who sends SIGTERM and nothing before it, as
// docker compose does, or a supervisor: without it readiness would go and the listener with it, and a load balancer would
// learn of it from requests that fail. One that asks for readiness less often than every second needs a wait of its own before
// SIGTERM. In Kubernetes that is a preStop hook, for there it is not readiness but the end of the pod that takes it out of its
// services, and that takes longer to get about; the two waits add up. There is no variable for it.
package ingress
