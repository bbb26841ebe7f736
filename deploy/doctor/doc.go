// Package doctor checks an installation from the outside in: the broker and its streams, the key of
// the operator, the secrets, the clocks, and what each provider knows of us. A check that is BAD
// names the next step.
//
//	doctor.go        Check, Patient, Examine
//	broker.go        the broker, the operator's key, the streams and queues, the broker's clock
//	secret.go        the files with secrets
//	provider.go      a provider's API: its credentials, its clock, and our registration
//	subscription.go  the registrations at each provider, and how they are put right
//	address.go       our address, as a provider reaches it
//
// The checks change nothing. Calls to a provider take turns from the budget that the workers share,
// and only list registrations. The request to our address has no signature, and ingress refuses it
// before it reads the body.
package doctor
