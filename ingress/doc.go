// Package ingress receives webhooks over HTTP and answers them when they are stored.
//
// The line, in accept (handler.go), and the answers of each step (answer.go):
//
//	route    the provider, by the path                 404, 405
//	headers  a signature, whatever the body is         401, or 429 in a flood of forgeries
//	read     raw bytes, capped                         413, 408, 400, or cut off without an answer
//	verify   HMAC over exactly the raw bytes           401, 415 if encoded, or 429
//	take     at most InFlightMax in hand               503 with Retry-After
//	parse    id, type, account, age of the signature   quarantine if encoded, unreadable or stale
//	publish  stored durably, within PublishFor         200, or 503 with Retry-After
//
// Package webhook verifies and parses, by the provider's scheme and layout. config.go has the
// configuration, server.go the listener and the end, log.go, metrics.go and trace.go the
// reports about a webhook, and sighting.go what is seen of a provider lately.
//
// # The custody rule
//
// An unsigned request gets only 4xx. A signed one gets only 200, stored or in quarantine, or 503.
// Pinwheel sends a webhook again after 5xx, for 15 minutes, and Truv for about two; a 4xx of ours
// loses the event for good. A webhook is stored even if the sender hangs up: the publish has a
// budget of its own and does not end with the connection. responseFor is the only place where an
// error becomes an answer. An error that responseFor does not know is our fault, a 503.
//
// Signed means: a POST to the URL of a provider, with one signature in the header that the provider
// uses, and the signature is right for the bytes of the body under one of the active secrets. The
// age of the signature, the content type and the content encoding do not matter: such a webhook is
// kept. These requests count as unsigned, whoever sent them, because nothing can be verified:
//
//	a body over BodyBytesMax                           413
//	a body that is incomplete or comes too slowly      400, 408, or cut off without an answer
//	a signature or timestamp missing, twice, malformed 401
//	headers over HeaderBytesMax or HeaderLinesMax      431, by net/http, or cut off
//	a request that is not HTTP/1.0 or 1.1              400, 417, 501, 505, by net/http
//
// A timestamp is malformed if it is not a number of 18 digits or fewer. A timestamp in milliseconds
// is far in the future: stale, and kept.
//
// A stale webhook is kept in quarantine and not stored as an event, because whoever once saw a
// signed request can send it again at any time. The histogram of the clock's skew shows whether a
// clock is wrong. `wagewire quarantine release --reason stale` stores the events.
//
// An encoded body is kept in quarantine as it came. Nothing is inflated, neither for a stranger nor
// for a provider: no provider is known to encode a body, and a small body could become a large one.
//
// The answer to a request that fails verification does not give the reason; the log and the metrics
// do. Only requests that fail verification count against the limit that answers 429. Verification
// comes before the limit, so no flood of forgeries can use up the room of a provider. If the
// headers alone show that no body can be a signed one, the body is not read.
//
// # What is unverified
//
// Anybody may send a request without a valid signature. Such a request takes nothing that a genuine
// webhook needs, however many there are, and from whatever addresses:
//
//	connections  at most ConnectionsMax are open. One more is accepted, and another is cut off
//	             (connection.go)
//	header       at most HeaderBytesMax in HeaderLinesMax lines, within HeaderReadFor
//	             (headerguard.go)
//	body         the first BodyFreeBytes come with the connection. What is larger takes room of
//	             UnverifiedBytesMax, step by step as the bytes arrive. For one step more, another
//	             body is cut off (room.go, unverified.go)
//	in hand      no place before verification. Then InFlightMax and InFlightBytesMax (hand.go)
//	log          a line a minute for all together, with counts by reason (refusals.go)
//	trace        no span before verification
//
// Nobody is refused for being new. A refusal of the newest would let the slowest keep what they
// hold. Two ledgers (claim.go) say who is cut off. In both, strangers come before peers that have
// delivered a verified webhook, and before others a peer that holds more than its share. Then the
// slowest comes first. A sender that is cut off gets no answer: a provider sends again after a
// network failure, and does not after a 4xx.
//
// A peer is an address, or the /64 of an IPv6 address. Behind a proxy in TRUSTED_PROXIES the peer
// is the address that the proxy names, in X-Forwarded-For or by the PROXY protocol (peer.go,
// proxyprotocol.go). Genuine senders may share the peer of an attacker: no genuine webhook is
// refused for its peer. The limit on forgeries chooses between 401 and 429 alone.
//
// A request that is refused ends its connection. A second request in a connection therefore comes
// after a verified one, and another attempt costs an attacker another connection.
//
// # Framing
//
// A request with both Transfer-Encoding and Content-Length may be an attempt to smuggle a second
// request. Refusing is not possible, because package net/http drops the Content-Length before a
// handler runs. Therefore every request in chunks is read by its chunks, and the connection is
// closed after the answer. RFC 9112, 6.1 allows a server to do so: no later byte of the connection
// is read. framing_test.go has the shapes of requests that were tried, each with its answer.
//
// The URL of a provider is taken in every form that a person would call the same: with slashes
// behind or doubled, in any letter case, with a query, with letters percent-encoded. A ServeMux
// would answer some of these forms with a redirect, and a redirect of a POST is neither 4xx nor
// 503. Dots in a path are not resolved.
//
// # Time
//
// The sender has ReadFor for the request. After the last byte we have AnswerFor for the answer, and
// wait at most PublishFor of AnswerFor for the broker. WriteFor begins with the answer. In net/http
// the write limit begins with the request's header, and a late body would leave no time for the
// answer.
//
// # The end
//
// Run stops in the order in which others notice: readiness, then (after DrainFor) the listener,
// then the requests in hand, then the admin listener. After the first step every answer says
// Connection: close. net/http closes idle connections in a shutdown, and loses a request already on
// the way over such a connection. After Connection: close a sender has no idle connection: the
// sender dials again and reaches another instance.
//
// With an admin listener the command drains for DefaultDrainFor. The drain is for senders of
// SIGTERM that do nothing before it, such as docker compose or a supervisor. Without a drain,
// readiness and the listener would go together, and a load balancer would learn of the end from
// requests that fail. If a load balancer asks for readiness less often than every second, it needs
// an extra wait before SIGTERM. In Kubernetes, add the wait as a preStop hook: Kubernetes removes a
// pod from its services when the pod terminates, and every node needs some time to learn of the
// removal. The two waits add up. No variable sets the drain.
package ingress
