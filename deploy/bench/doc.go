// Package bench measures the line with its real binaries as processes, in a single run on a single
// machine.
//
// There are four figures. Every round measures each figure once, because the speed of a machine
// changes from minute to minute:
//
//	a  synchronous publishes to the events stream, of a message stored by ingress
//	b  requests to an HTTP handler: read the body, answer 200, in a process with the server
//	   settings of ingress
//	c  signed webhooks that ingress answers 200; the stream must have gained as many messages
//	d  webhooks of every resource, from the first POST to the last completion, while the API of
//	   the fake providers answers at once, and again with answers after 20 ms
//
// a, b and c have the same number of senders, the same client and the same bodies. A program with
// nothing to do but b and then a for every webhook would do 1/(1/a+1/b) a second. The ratio of c to
// 1/(1/a+1/b) is the cost of receiving, verifying, reading and logging. The ratio is computed in
// each round, from figures measured a second apart. All figures are measured a second time with a
// broker that writes to the disk before each answer (sync_interval: always), the setting for an
// installation.
//
// Before each call of a provider a worker takes a turn of the provider's budget, which is stored at
// the broker. The report has the number of requests to the broker for a call, over both loads of d.
// The number must not be over 1: a turn must not cost more than a request of its own. The rate of
// the budget is set too high to be a limit.
//
// The machine also runs the senders, the broker and the fake providers, so the figures hold for a
// single machine. The ratios are the result.
//
// Apart from these figures, RunCapacity measures what one person takes of the broker: files,
// memory, events and completions, with the default sizes of the streams.
//
//	bench.go      the processes: brokers, ingress, workers, fake providers
//	load.go       the load of each figure
//	process.go    a process: start, health, stop
//	budget.go     the requests to the broker for the budgets, as the workers count them
//	report.go     the table
//	capacity.go   what one person takes of the broker, and its table
//	usage_*.go    processor time and memory of a process, as counted by the kernel
package bench
