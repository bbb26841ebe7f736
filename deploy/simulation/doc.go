// Package simulation lives through weeks of faults in seconds. The whole line runs in one
// testing/synctest bubble, in which time passes only while every goroutine waits: nats-server,
// ingress, two processes of every worker and of accounts, the fake providers with their resends, an
// operator, and a team that reads completions. All of them are the production packages. Connections
// are pipes (stream.Config.Dialer, ingress.Config.Listener, workers.Surroundings.Transport and
// fake.Config.Transport), and files are real files.
//
//	schedule.go   Plan makes the schedule of a seed: people, webhooks, faults
//	fault.go      the kinds of faults, a row each
//	world.go      Run lives through a schedule: build, live, heal, drain, check
//	process.go    the processes of the line: start, stop, kill
//	pipe.go       connections without a network, and how to cut them
//	server.go     the broker, and the simulation's own connection to it
//	gate.go       the providers' side: faults answer, calls are counted
//	visit.go      how a provider sends a webhook
//	operator.go   how each fault begins and ends, and what operators do
//	release.go    what releases before and after this one write
//	team.go       a team that reads completions, and falls behind
//	watch.go      every wait and last word, as the broker hears it
//	metric.go     the counts of all processes
//	count.go      what is compared in the end
//	report/       what a run tells the program that started it
//	seeds/        many seeds, broken builds, and the shortest schedule that fails
//
// # A run
//
// TestSchedule runs the schedule of one seed. `make simulate` builds this package's test binary and
// starts a process for each seed: a bubble that deadlocks, or whose goroutines do not end, ends the
// process with a dump.
//
//	make simulate SEEDS=1000            # a thousand schedules
//	make simulate SEED=5                # one schedule
//	make simulate SEED=5 WITHOUT=0,2    # without two of its faults
//	go test ./deploy/simulation -run TestSchedule -v -args -seed 5 -log /tmp/log
//
// A schedule lasts 72 virtual hours or more: the whole long ladder. Every tenth lasts a fortnight.
// After the last fault the line has 16 hours until nothing may wait. In every fifth schedule no
// process and no broker ends, so that the counts of the metrics must be exact.
//
// A seed fixes the schedule, and not the order of goroutines. A failure may therefore need several
// runs to come again.
//
// # What is compared
//
// Package deploy/ledger compares the streams with the webhooks and the providers' answers: no event
// lost, none completed twice, every record as the provider served it, nothing of an erased account,
// and every state of an account as its completions make it.
// This package adds what only virtual time shows:
//
//	ladder      a step of a ladder without a failure of its class, or more than one step for one;
//	            a step twice, unless a process or the broker ended meanwhile
//	wait        a wait that is not as long as its step
//	late        an event that was ready and had no word for promptFor, besides the times in which
//	            a fault explains it
//	unfinished  an event without a last word in the end
//	fast        calls over the rate of the provider, or in a hold
//	metric      a metric that counts something else than happened
//	erased      any message of any stream with the id of an erased account
//	secret      an access token in a stream
//	process     a process that ended by itself
//
// # Decisions
//
// The requests of idle queues last an hour here, and pings come every 20 minutes
// (streamtest.BubbleServer). With the times of production, most of the work of a simulation would
// be idle queues.
//
// A kill cuts every connection of a process and refuses new ones. What runs in the process goes on
// for a while, unseen, because Go cannot end a goroutine from outside. The broker always stops as
// SIGTERM stops it: its files are the files of a clean stop. Package deploy/chaos kills real
// processes, also brokers.
package simulation
