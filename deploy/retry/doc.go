// Package retry ends the wait of events, so that they are tried now instead of later: for `wagewire
// retry` and for the pages of queues. It prints nothing, and asks nobody.
//
//	choice.go  Choice: which waiting events; Classes: after which failures events wait
//	retry.go   Find, Counts: what waits; Rests: which queues rest; Report: what was tried
package retry
