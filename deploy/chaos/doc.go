// Package chaos proves by counting that nothing is lost and nothing told twice. It runs the real commands as processes,
// kills them, lets the fake providers misbehave, and keeps a ledger of every answer at the door. At the end it reads all
// streams whole and compares.
//
//	run.go        one run, from building to the report
//	build.go      the commands, and the builds that are broken on purpose
//	storm.go      what happens meanwhile, and the wait for empty queues
//	process.go    processes: started, killed by their own id, started again
//	broker.go     nats-server: its configuration, its streams, what waits on its queues
//	load.go       people, and what is sent about them
//	fault.go      the schedule of kills and of the providers' faults
//	gate.go       before the fake providers: outages, and a note of every record they serve
//	ledger.go     what was sent and what was answered
//	check.go      ledger against streams: every violation has a name
//	content.go    what a completion says against what the providers served
//	read.go       the streams, read whole; and completions, read while they come
//	report.go     the table
//
// # What one seed fixes
//
// The seed fixes people, what is sent about them and in which order, which process is killed or paused when and for how
// long, and which fault a provider has when. What it cannot fix is how threads and processes take turns: the same seed
// replays the same schedule, and may still meet another interleaving. A kill whose victim is down already is left out.
//
// # What is checked
//
//	lost        answered 200, and neither stored nor erased with its account
//	unfinished  stored, and not completed by each of its workers
//	twice       one completion id at two places of the stream, or with two contents
//	changed     a body or a record that is not, byte for byte, what was sent or served
//	incomplete  an id that was announced is neither in records nor in missing
//	outcome     another outcome than the webhook and the provider's answers call for
//	hidden      given up without a dead letter, or a dead letter without a completion
//	invented    stored, and never sent or never signed
//	erased      something of an erased account is left, or its erasure is not told
//	custody     a signed webhook refused for good, or a forged one not refused
//	process     a command ended by itself, or did not end when told to
//	log         personal data or a panic in a log
//	waiting     the queues are not empty long after the last fault
//
// A webhook that nobody answered, or that was answered 503, may be stored or not. If it is stored, all of the above holds.
package chaos
