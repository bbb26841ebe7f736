// Package bench measures the line with its real binaries as processes, next to the least line that
// could do the job: package least. Both lines use the same broker and take turns in every round, so
// the ratio holds although the speed of a machine changes from minute to minute.
//
// For each setting of the broker (one or three servers, fsync later or always) there are these
// figures:
//
//	webhooks stored   signed webhooks that ingress answers 200, without a worker; the stream must
//	                  have gained as many messages
//	small snapshots   webhooks of which a worker fetches one object, from the first POST to the
//	                  last completion; the API of the fake providers answers at once
//	lists             the same, with 90 shifts, 31 paystubs, and 400 paystubs in several pages
//	latency           webhooks at a constant rate, half of the rate that our line has shown: from
//	                  when a webhook was due to its 200 and to its completion. The times of a
//	                  completion tell the parts of the way. A rate that a line does not reach is
//	                  said in place of its figures
//
// Our processes have their default configuration and log level. Only the rate of the providers is
// set too high to be a limit. Before each call of a provider a worker takes a turn of the
// provider's budget, which is stored at the broker. The report has the number of requests to the
// broker for a call. The number must not be over 1: a turn must not cost more than a request of its
// own.
//
// The machine also runs the senders, the broker and the fake providers, so the figures hold for a
// single machine. The ratios are the result. A ratio is taken in each round, and the report has the
// median of all rounds, the least and the most.
//
// Apart from these figures, RunCapacity measures what one person takes of the broker: files,
// memory, events and completions, with the default sizes of the streams. RunGrowth measures how
// cost grows with what the broker keeps, RunBrokers what lies past one broker, and RunCommands the
// commands of operators beside millions of kept messages. RunConsole measures the pages of the
// console beside them.
//
//	bench.go      what is measured: the kinds of webhooks
//	line.go       the processes: brokers, ingress and workers, of our line and of the least
//	load.go       the load of each figure
//	latency.go    the load at a constant rate, and how long each webhook took
//	process.go    a process: start, health, stop
//	budget.go     the requests to the broker for the budgets, as the workers count them
//	report.go     the tables
//	capacity.go   what one person takes of the broker, and its table
//	growth*.go    the line under growing loads, next to a baseline, and its tables
//	fill.go       the loads: completions kept, durables of teams, and waiting events
//	plot.go       the plot of growth
//	brokers.go    partitions of the events, and streams on different servers
//	commands.go   what the commands of operators take, and their table
//	console.go    what the pages of the console take, and their table
//	usage_*.go    processor time and memory of a process, as counted by the kernel
package bench
