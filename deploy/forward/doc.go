// Package forward sends completions to a program that speaks HTTP and no NATS: each completion is
// a POST request with a CloudEvent in structured mode as the body.
//
//	body.go     the completion as one JSON object, with its records
//	target.go   the request and its answer
//	refusal.go  why a program does not have a completion, in words that help
//
// The package reads completions with schema/client, the kit that teams use. The command wagewire
// listen adds the subscription, and prints.
package forward
