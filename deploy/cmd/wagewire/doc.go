// Command wagewire is the operator's tool: it provisions the streams, sends webhooks, shows the
// history of an event, and resends events after a failure. See wagewire --help.
//
// root.go builds the tree of commands, and package deploy/command runs the tree. Each command has a
// file:
//
//	provision.go    compare the broker with the topology, and change the broker
//	send.go         send a webhook: sample.go has the body, response.go the answer of ingress
//	trigger.go      let a webhook end in a chosen way; trigger_fakes.go orders it of the fakes
//	listen.go       forward completions to a program, with package deploy/forward; listener.go is
//	                the handler of the kit
//	tail.go         print completions
//	doctor.go       check an installation, with package deploy/doctor
//	find.go         show all of one account, with package deploy/find
//	status.go       judge the installation, and show every stream and queue on a screen
//	metrics.go      export the same as metrics; package deploy/health finds and judges
//	console.go      serve pages, with package deploy/console; console_token.go makes tokens
//	trace.go        print the history of an event, with package deploy/trace; life.go has lines
//	drift.go        compare stored records with the provider's reference
//	record.go       make a fixture of a webhook and its answers, with package deploy/fixture
//	explain.go      print what to do about a finding or an alert
//	dead.go         list, show, redrive and discard dead letters
//	quarantine.go   list, show, release and discard webhooks in quarantine
//	replay.go       send past events through a queue again
//	backfill.go     bring back lost webhooks, with package deploy/backfill
//	retry.go        try waiting events now, with package deploy/retry
//	pause.go        pause and resume queues
//	budget.go       begin a provider's budget of calls anew
//	nkeys.go        make the keys of a new installation
//	team.go         the teams that subscribe; team_add.go, team_list.go and team_remove.go
//	healthcheck.go  check NATS for a container
//
// Commands share the other files. shelf.go has list, show and discard for dead letters and the
// quarantine, and package deploy/shelf does the work that the console also needs: it filters,
// scans, redrives and releases. consent.go asks before a change. service.go is the start of console
// and metrics. flags.go has the types of flags, broker.go the connection, print.go and unit.go the
// output.
//
// Only the printing of ages (14d, 3h5m) is written by hand: go-str2duration reads ages, but prints
// 14 days as 2w.
package main
