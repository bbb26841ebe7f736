// Package health finds what is wrong with an installation, and says it in one sentence with the
// next command. `wagewire status` prints the findings, and `wagewire metrics` exports them, so an
// alert and the screen never disagree: each threshold is in this package, and in no alert rule.
//
//	kind.go     the kinds of findings, in the order of their urgency
//	fill.go     when a stream will be full
package health
