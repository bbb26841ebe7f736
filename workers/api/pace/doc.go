// Package pace lets all processes of an installation together call a provider as fast as it allows,
// and never faster. The calls take turns from one budget (schema.Budget), which stands in a Store:
// on the broker, see stream.Budget.
//
//	pacer.go  Pacer: Wait gives a call its turn
//	take.go   a process takes turns for its calls
//	budget.go what this process knows of the budget in the store
//	turns.go  the turns of this process that are not used yet
//	lane.go   the calls that wait: those of fresh events, then those of replayed events
//	hold.go   the hold after a 429
//	clock.go  the store's time
//	pacetest/ a store in memory, for tests
//
// # A turn
//
//	Wait ── a hold? ────────────────────────────► how long it lasts
//	  │
//	  ├── a turn of this process is left ──► wait for its time ──► the call
//	  │                                              └── too late: the turn has lapsed
//	  └── none is left: take turns
//	        read what the store said last ─► Budget.Take ─► compare-and-set
//	                    ▲                                        │
//	                    └──── another process was faster ────────┘
//
// A process takes the turns for the calls that wait, up to 0.4 s of the rate, and takes no more
// before the last of them is near (0.1 s). So busy processes take turns one after the other, a
// process without calls takes none, and a process that dies takes at most 0.5 s of the rate along.
// At high rates a busy process takes more turns than calls wait: twice as many as the last time, up
// to 0.1 s of the rate.
//
// Each process hears of every budget that the store has stored, with its revision. So a take costs
// one request, the compare-and-set, and serves several calls. Only after a race, a fault or a lost
// connection the budget is read again.
//
// # Never faster
//
// schema.Budget.Take explains the limits of a second and of a minute. They need turns that are used
// in time: a process that was stopped for a while, or has lost the processor, finds its turns
// lapsed and takes new ones.
//
// The times in the budget are the store's. A process asks the store for its time once a minute, and
// counts on with its own monotonic clock. A wrong or changing wall clock has no effect. The clock
// is late by the time of one request at most, so a process on a slow connection calls late, never
// early. A hold is longer by that time. The limit of a second has 50 ms to spare for processes
// whose clocks differ, so a process asks again soon after a slower answer.
//
// # Fresh events first
//
// Calls for replayed events (AsReplay) take turns only if nobody has taken a turn that is still to
// come. Calls for fresh events take the next turns. So a fresh call waits for one batch of replays
// at most, whichever process has them, and replays use what fresh calls leave.
//
// # Faults
//
// Without the store there are no more turns: no result of a call could be stored either. The turns
// that are taken may be used. A value that cannot be read, or is not plausible, is replaced by a
// new budget, at the cost of a second without calls: by then, each process has heard that its old
// turns are void. A value in the format of a newer release is left alone: nobody knows what it
// allows.
//
// If the store is slow twice in a row, a process wishes for later turns, so that they have not
// lapsed when the answer comes.
//
// # Why not a library
//
// golang.org/x/time/rate counts in one process. The shared limiters for Go keep their counts in
// Redis or in a database, and the only store of an installation is NATS. JetStream's counters add
// without a condition, so they cannot hold a budget. The algorithm itself is a comparison and an
// addition.
package pace
