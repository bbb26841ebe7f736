// Package trace gathers and judges the history of one event, as far as the streams have it: for
// `wagewire trace` and for the pages of the console. Nothing of it has a record or a
// body, besides the completion of FindCompletion.
//
//	event.go     Event: gather the lives of an event and of its redrives; FindCompletion
//	name.go      Name: what an operator calls an event
//	owner.go     whose the event is
//	read.go      read what the streams have of the owners
//	life.go      Life: the way of an event; Stored, Wait, Deliveries, Completion are its parts
//	fate.go      Fate: the state of the event in a queue
//	incident.go  Incident: a line of the history, in words
//	part.go      Part: where the time of a completion went
//	rest.go      Rest: why a queue takes no events; Cause: why an event waits
//	missing.go   Explain: why nothing was found
package trace
