// Package ledger counts that nothing is lost and nothing is told twice. A run notes every webhook
// and its answer, every answer of the fake providers, and every act of an operator. At the end the
// run reads all streams, and a Check compares the streams with the notes. Package chaos runs real
// processes and kills them; other runs may count in the same way.
//
//	webhook.go    a webhook: its purpose, and what it announces
//	ledger.go     Ledger: webhooks and their answers, people, and what operators sent again
//	served.go     Served: the records and the bad answers of the fake providers
//	provider.go   how to read each provider's paths, answers and webhooks
//	check.go      Check: compares each message with the ledger; every violation has a name
//	finish.go     Finish: looks for missing messages
//	cause.go      the ends that an event may have after the provider's answers
//	state.go      States: compares the states of accounts with the stored completions
//	content.go    compares the records of a completion with the records served by the providers
//
// # The order of a run
//
//	AddPerson      before the fake providers serve the person's records
//	AddWebhook     before the webhook is sent; AddAnswer after its answer
//	Served.Note    for every answer of the fake providers; a Tee keeps a copy of the answer
//	AddRedrive     before an operator sends an event again; AddDiscard before a dead letter is
//	               discarded
//	AddVersion     for every completion as it comes, because an erasure may delete it later
//	AddEvent, AddCompletion, AddDeadLetter, AddQuarantined, AddWaiting
//	               for every message of the streams, after all webhooks, answers and acts
//	SetDrained     if the queues were empty and nothing waited
//	Finish         looks for missing messages
//
// AddCompletion calls AddVersion itself. Violate adds what a run finds by other means.
//
// # Violations
//
//	lost        answered 200 or sent again by an operator, and neither stored nor erased with its
//	            account; or stored without a completion, and in no queue any more
//	unfinished  stored, and a worker did not complete it while there was time
//	twice       a completion id is at two places of the stream, or has two contents
//	changed     a body or a record is not, byte for byte, as it was sent or served
//	incomplete  an announced id is neither in records nor in missing
//	outcome     the end does not follow from the webhook and the provider's answers, for example a
//	            step of a ladder was taken for a restart
//	hidden      given up without a dead letter, or a dead letter without a completion
//	invented    stored, but never sent or never signed; sent again, and no operator did it;
//	            erased, and nobody deleted the account
//	erased      data of an erased account is left, or the erasure has no completion
//	custody     a signed webhook was refused for good, or a forged webhook was not refused
//	invalid     a completion, or the state of an account, breaks the published JSON Schema
//	state       the state of an account is not what its stored completions make together
//	revealed    a record has the number of a bank account, and is no bank account
//	waiting     the queues are not empty, or events wait, long after the last fault: the run
//	            itself adds this violation
//
// A provider that forbids a person answers 403 to every call. Every event about such a person must
// end as unavailable, with the class forbidden.
//
// An event that names a person has a completion for each account of the person that the provider
// has named, or one for the person if the provider did not name them when the worker asked.
//
// Truv names an object, or an employment and a number of objects. The completion has both ids. It
// has every record that the person has there, or at least the number, or it is stale. The
// statements, a report and stale shifts are a delta, and all other data of Truv is a snapshot. The
// time of the fetch orders the data, and the time of the webhook orders the reports. With a report,
// supported has every resource of which the person has data. It may lack the shifts if Truv made
// calls wait.
//
// A webhook without an answer, or with the answer 503, may be stored or not. If the webhook is
// stored, every rule above applies.
//
// # Events that were sent again
//
// An operator's redrive is a second event of a webhook, under the key of the webhook with :r1, :r2
// and so on at the end. The redrive has the webhook's subject and bytes, and the headers
// Wagewire-Redrive and Wagewire-Queue. Only the queue of the redrive works on it. So the check
// wants one completion for each redrive and resource of its queue, besides the completions of the
// webhook's own event. The rules for the account, the answers and the records are the same.
//
// `wagewire dead redrive` discards the dead letter of the event that it sends again. A missing dead
// letter is a violation, unless AddDiscard has told of it.
//
// # Lists that grow
//
// A person may get new paystubs after a webhook. The fetch reads the list at some moment between
// the webhook and its completion. So a completion must have the records of the person when the
// webhook, or its redrive, was added to the ledger, and may have those of the last AddPerson.
package ledger
