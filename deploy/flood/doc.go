// Package flood attacks ingress with load that carries no valid signature, and measures meanwhile
// how genuine webhooks are answered.
//
//	attack.go   the attacks, a row each
//	flood.go    a flood: an attack that runs against an address
//	source.go   where connections go and come from: the loopback interface only
//	tally.go    the figures of a flood
//	probe.go    genuine webhooks at a steady pace, and their answers
//
// An attack is either slow or fast. A slow attack holds connections: it costs the attacker next to
// nothing, so a test can measure ingress on a small machine. A fast attack repeats a request as
// fast as answers come.
//
// A flood has many source addresses on Linux, where every address of 127.0.0.0/8 is local. Other
// systems have a single address.
package flood
