// Package seeds runs many simulations of the line, each in a process of its own, and each with
// another schedule of faults. Package deploy/simulation is the simulation: its test TestSchedule
// runs one schedule in virtual time. The seed decides the schedule.
//
//	seeds.go    Run: the seeds, one after the other, on every processor
//	build.go    the test binary of the simulation, also with a flaw of package deploy/flaw
//	child.go    one run of the binary, and what counts as a crash
//	shrink.go   the shortest schedule with the same violation
//	flaws.go    RunFlaws: each flaw must be found
//	print.go    progress, failures and the table
//
// # A violation
//
// The violations are those of the simulation, and one more: crash. A simulation crashed if its
// process ended without a report, or failed without a violation: a deadlock, a goroutine that does
// not end, a panic, or no end within the time limit.
//
// The seed does not decide the order in which goroutines run. So a run of the same seed may be
// without the violation, and a smaller schedule is tried twice before a fault counts as necessary.
//
// # A check that cannot fail
//
// A schedule whose faults take no effect proves nothing, nor does a run in which no event ever
// waits. Run counts both, and fails if there is no other run.
package seeds
