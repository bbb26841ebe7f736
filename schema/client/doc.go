// Package client is the kit for programs that read the completions of Wagewire. The kit hides the
// broker, and keeps every promise of README.md of package schema.
//
// A program has a Handler, and runs Subscribe until a signal ends its context:
//
//	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
//	defer stop()
//	c, err := client.Connect(ctx, client.ConfigFromEnv("lending", os.Getenv))
//	…
//	err = c.Subscribe(ctx, client.Subscription{Aside: client.AsideDir("aside")}, handler)
//
// # The life of a delivery
//
//	broker ─► read ─► filter ─► handler ─► acknowledge, and wait for the confirmation
//	            │        └─ outside ─────► acknowledge unseen; a deletion is never outside
//	            │                 └─ error ─► give back: 1 s, 2 s, 4 s … 10 min
//	            └─ poison ────────────┴─────► Subscription.Aside, then "never again"
//
// The broker lends a completion for a minute. While a handler works, the kit renews the loan every
// 20 s, so a handler may take any time. A killed program loses nothing: after the minute another
// delivery follows. So a completion may come more than once, and the handler must store each id
// once.
//
// # Promises
//
//   - A handler gets the completions of an account in turn, and completions of other accounts at
//     the same time.
//   - A deletion comes to Remove whatever Subscription.Resources and Subscription.Accounts say.
//   - Nothing is lost of a message: Completion.Raw has the unknown fields, and an unknown outcome
//     comes to Store.
//   - Numbers are the provider's digits. The kit makes a float of none.
//   - Of the records of a large completion, none comes before the SHA-256 of all is right, and the
//     memory does not grow with their number.
//   - A completion is acknowledged after the handler returned nil, and never else.
//   - A database that is down sets nothing aside. Poison is set aside alone: bytes that are no
//     completion, more than 100 levels of nesting, an error marked with Poison, a panic, records
//     that stay gone or changed, and errors of a handler that took others in between, twice in a
//     row. A deletion is never poison.
//   - A log line has no body, no name and no amount.
//
// # A durable that stands still
//
// The broker hands out at most 1,000 completions of a durable that are not acknowledged. If 1,000
// fail, they come again and again, and no other completion comes: a fault of the handler with each
// of them looks like a database that is down. So nothing is set aside, and a line of level error
// says once a minute that the durable stands still. A handler that can tell marks with Poison what
// never succeeds, and Subscription.Aside must be set.
//
// # Records in one model
//
// Package normal turns a record of any provider into one model, when the program reads it:
//
//	for record, err := range completion.Records(ctx) {
//		n, err := normal.OfCompletion(completion.Data, record)
//
// A Mirror keeps the employment of each paystub, which a statement of Truv's does not have:
//
//	for _, entry := range mirror.Entries(schema.Truv, link, schema.Paystubs) {
//		n, err := normal.OfCompletion(schema.CompletionData{
//			Provider: schema.Truv, Resource: schema.Paystubs, EmploymentID: entry.EmploymentID,
//		}, entry.Record)
//
// # The files
//
//	client.go      Connect, Account: the connection, and the last state of an account
//	subscribe.go   Subscribe, CatchUp: taking from a durable, and the end
//	take.go        inbox: one request for one completion
//	hand.go        what one hand does with a delivery
//	failures.go    what failures mean: a completion fails alone, or the durable stands still
//	completion.go  Completion, Poison
//	records.go     Completion.Records
//	aside.go       AsideDir, RetryAside: what no delivery helps
//	mirror.go      Mirror: the records of an account, by the rules of the contract
package client
