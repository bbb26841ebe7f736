// Package health finds what is wrong with an installation, and says it in one sentence with the
// next command. `wagewire status` prints the findings, and `wagewire metrics` exports them, so an
// alert and the screen never disagree: each threshold is in this package, and in no alert rule.
//
//	kind.go      the kinds of findings, in the order of their urgency
//	config.go    Config: how long a provider may be silent, from the environment
//	state.go     Read: what the broker holds, and what the processes report
//	again.go     ReadAgain: the state again and again, for metrics and for the console
//	finding.go   Findings: what is wrong with a state
//	fill.go      FullIn: in how much time a stream is full, of bytes or of messages
//	team.go      TeamLags: how far behind the teams are
//	verdict.go   Judge: the first line of wagewire status
//	exporter.go  Exporter: a state as Prometheus metrics
//
// What only a process sees, such as the answers of a provider, comes from the reports that every
// process stores on the broker: see schema.Report. An exporter that scraped the processes would
// need to find and reach each of them, and all of them reach the broker already.
//
//go:generate go test . -run MetricsReference -count=1 -update
package health
