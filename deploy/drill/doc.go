// Package drill rehearses what a person on call does, with scripts: testdata/*.txtar. Each script
// breaks an installation in one way, waits until `wagewire status` and the metrics of `wagewire
// metrics` name the fault, types the cure of the runbook, and waits until all is well.
//
// An installation is ingress, the workers income and link, the fake providers, `wagewire metrics`
// and a nats-server, each in a process of its own on the loopback interface. A process that ends
// is started again, as Docker does. The environment of a script is that of an operator, so it
// executes wagewire as a person types it.
//
// make test lets each wait take any time. make test/drills fails if a fault has no name within
// 60 s, and prints how many seconds each drill took:
//
//	make test/drills TESTFLAGS='-run Drills/wrong_secret'
//
// # Commands
//
// The commands below are in addition to the commands of
// [github.com/rogpeppe/go-internal/testscript].
//
//	up [VARIABLE=VALUE ...]
//		starts an installation with variables of its processes, and waits until it is well.
//	named FINDING [ABOUT]
//		waits until the verdict of status is the finding, with the right exit code, and until
//		the metrics have the finding.
//	well
//		waits until the verdict of status is OK, and until the metrics have no finding that asks
//		for a person.
//	nats stop
//	nats start [FILE_BYTES_MAX]
//		With a limit, the kernel writes no file of the server past that size, as if the disk
//		were full.
//	crash ROLE, spare ROLE
//		kills each process of the role soon after its start, until spare.
//	fault PATH STATUS, clear
//		lets calls of the fake providers fail whose path contains PATH, and ends that.
//	send TYPE [OLD]
//		lets the fake provider of a new person send a webhook, signed as long ago as OLD.
//	flood TYPE, calm
//		sends such webhooks one after the other, until calm. Their answers do not matter.
//	keep DURATION
//		tells operators that the broker keeps completions for so long.
//	read TEAM
//		acknowledges the completions of a team.
//
// Variables of a script: INGRESS and PROVIDERS are addresses for --url and --providers. WORK has
// the directory secrets, with the files of the providers' secrets (pinwheel, truv) and with those
// of the workers' API keys (pinwheel.api, truv.api).
package drill
