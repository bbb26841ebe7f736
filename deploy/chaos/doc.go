// Package chaos counts that nothing is lost and nothing is told twice. The harness runs the real
// commands as processes, kills them, lets the fake providers misbehave, and keeps a ledger of every
// webhook and its answer. At the end the harness reads all streams and compares them with the
// ledger. Package ledger has the ledger and the comparison.
//
//	run.go        a run, from building to the report
//	build.go      the commands, also with a flaw of package deploy/flaw
//	storm.go      kills and faults while webhooks are sent, and the wait for empty queues
//	flood.go      load that nobody signed, beside the signed webhooks
//	siege.go      401 or 429 for a while, and restarts of the workers that get these answers
//	process.go    processes: start, kill or stop by process id, start again
//	broker.go     nats-server: configuration, streams, events that are not settled
//	provider.go   the providers: rates and variables
//	load.go       people, and the webhooks about them
//	fault.go      the schedule of kills and of the providers' faults
//	gate.go       in front of the fake providers: outages, refusals, and a note of every answer
//	pace.go       the calls of all processes together: how many in a second, and calls in a hold
//	check.go      what package ledger does not check: floods, paces, and refusals in calm
//	read.go       reads whole streams, and completions as they come
//	report.go     the table
//
// # The seed
//
// The seed decides the people, their webhooks and the order of sending, the time and the victim of
// every kill and pause, the floods, and the faults and sieges of the providers. In a siege, workers
// end some time after a refused call: the seed decides the time, not the call. The
// seed does not decide how the operating system schedules threads and processes: two runs of a seed
// have the same schedule, and may still differ. A kill or restart is left out if the victim is down
// already.
//
// # Violations
//
//	lost, unfinished, twice, changed, incomplete, outcome, hidden, invented, erased, waiting,
//	invalid, state, revealed
//	            see package ledger
//	custody     see package ledger; also, an unsigned request of a flood was not refused
//	crowded     over 1 % of the signed webhooks were refused, or got no answer, while only floods
//	            disturbed ingress
//	process     a command ended by itself, or did not end after SIGTERM
//	log         personal data or a panic in a log
//	fast        in some second, a provider got more calls than its rate and burst; or a call in a
//	            hold that the provider had asked for with a 429
//
// A provider forbids (403) one person in twenty.
//
// A hold is judged from a second after the 429 on: until then, the worker that got the answer reads
// it and stores the hold, and the other processes hear of the hold. If that worker or a broker was
// killed or paused in this second, the hold is not judged.
//
// Calls are counted at their arrival, up to a tenth of a second after the worker sent them. So the
// second of fast lasts nine tenths of a second at the gate, and a hold ends a tenth earlier. If the
// machine gave the harness no processor for longer, the calls of that time and of the second after
// are not judged.
package chaos
