// Package fake is the fakes of the providers: HTTP servers that answer the workers' calls, send
// signed webhooks to ingress, and fail on demand. The package shares no code with the real clients,
// so that client and fake do not share a mistake.
//
// The fakes follow the providers' pages (docs.pinwheelapi.com, docs.truv.com). Where a page is
// silent, the fakes follow records of Pinwheel's sandbox. Comments name the page. All personal data
// is invented and has forms that real data never has; [Person.Canaries] lists the data for tests.
//
// # Providers
//
// provider.go holds the registry, and each provider's row stands in the provider's own file:
//
//	pinwheel.go           the row: secret, signature, redelivery, refusals and error bodies
//	pinwheel_api.go       the endpoints
//	pinwheel_end_user.go  the list of a person's accounts
//	pinwheel_customer.go  the lists of accounts and jobs, and the registrations for webhooks
//	pinwheel_webhook.go   webhooks, jobs and the timeline
//	pinwheel_record.go    paystubs, shifts and the other objects
//	truv.go               the row: secret, signature, redelivery, refusals and error bodies
//	truv_api.go           the endpoints
//	truv_customer.go      the registrations for webhooks, and the log of sent webhooks
//	truv_webhook.go       webhooks and the timeline
//	truv_record.go        employments, pay statements and the other objects
//
// The other files know no provider by name. person.go and pay.go have the person behind the
// accounts: names, employers, pay, shifts and bank accounts are the same at every provider. A new
// provider needs a file with a row and an entry in the registry. One handler serves all providers
// and the control tree:
//
//	/<provider>/…   the provider's API, with the provider's credentials
//	/control/…      no credentials; for people and scripts
//
// The control tree calls the methods of [Providers]. The examples below use its address:
//
//	fake=http://127.0.0.1:8081/control
//
// # People
//
// A person has 31 paystubs and 90 shifts unless the options give other numbers, and at Truv an
// earlier employment with 3 paystubs. Where the person has no paystubs, there is no earlier
// employment unless asked for. The APIs answer 403 to every call about a forbidden person. The
// response has the person's ids, with those of the employments and of the profile at Truv. People
// with the same end_user_id are one person with several accounts. Playing a person sends the
// webhooks of [Providers.Timeline]. The option times sends each webhook more than once, shuffled
// sends the webhooks in random order, and retry repeats a webhook as its provider would. The
// timeline ends with Truv's link disconnected and deleted. The option keep leaves that end out, so
// that the data of both accounts stays.
//
//	curl $fake/people -d '{"paystubs": 400, "shifts": 90, "earlier_paystubs": 2}'
//	curl $fake/people -d '{"end_user_id": "user/1", "seed": 7}'
//	curl $fake/people -d '{"forbidden": true}'
//	curl $fake/people
//	curl $fake/people/$id
//	curl -X POST $fake/people/$id/play
//	curl $fake/people/$id/play -d '{"times": 2, "retry": true}'
//	curl $fake/people/$id/play -d '{"shuffled": true}'
//	curl $fake/people/$id/play -d '{"keep": true}'
//
// # Webhooks
//
// A webhook is about the newest person unless account holds another id: of an account, an end user
// or a link. An unknown id belongs to a stranger without data. The spelling of a type shows its
// provider; for any other spelling, name the provider.
//
//	curl $fake/webhooks -d '{"type": "employment.added", "outcome": "pending"}'
//	curl $fake/webhooks -d '{"type": "employment.added"}'
//	curl $fake/webhooks -d '{"type": "income.added", "outcome": "error", "error_code": "locked"}'
//	curl $fake/webhooks -d '{"type": "paystubs.added", "added": ["no-such-id"], "deleted": ["x"]}'
//	curl $fake/webhooks -d '{"type": "account.monitoring_status.updated",
//	  "monitoring_status": "user_action_required"}'
//	curl $fake/webhooks -d '{"type": "link-deleted", "account": "'$link'"}'
//	curl $fake/webhooks -d '{"type": "employment-created", "object_id": "no-such-id"}'
//	curl $fake/webhooks -d '{"type": "statements-updated", "employment_id": "'$employment'"}'
//	curl $fake/webhooks -d '{"type": "shifts-created", "objects_count": 1000}'
//	curl $fake/webhooks -d '{"type": "task-status-updated", "status": "login_error"}'
//	curl $fake/webhooks -d '{"type": "task-status-updated", "product": "employment"}'
//	curl $fake/webhooks -d '{"type": "task-status-updated", "status": "parse", "refresh": true}'
//	curl $fake/webhooks -d '{"type": "identity.added", "id": "my-id", "times": 3, "retry": true}'
//	curl $fake/webhooks -d '{"type": "identity.added", "bad_signature": true}'
//	curl $fake/webhooks -d '{"type": "identity.added", "old_timestamp": "1h"}'
//	curl $fake/webhooks -d '{"provider": "truv", "raw": "{not json"}'
//	curl $fake/webhooks -d '{"type": "income.added", "lost": true}'
//	curl $fake/webhooks -d '{"type": "income.added", "refresh": true}'
//	curl $fake/webhooks
//
// A webhook of Truv is about the newest employment, and about the profile. Its objects_count is the
// true number, and a task is done, unless the instruction says something else. The link takes the
// status of the task.
//
// Pinwheel's newest paystub has no document before a webhook paystubs.documents.added.
//
// A lost webhook reaches nobody, as in an outage of the receiver. Truv's log has it. A refresh is
// not among the jobs of Pinwheel. At Truv a refresh is a task of its own.
//
// The response to a POST holds the webhook's id and type, and the receiver's status and answer. A
// status of 0 means that the receiver did not answer. With times, copies has the answer to each
// copy. GET lists the webhooks that were sent.
//
// # Fixtures
//
// A fixture is a recorded webhook with the answers of the API, as wagewire record makes it. To play
// a fixture is to give its answers to its calls from now on, from the first one, and to send its
// webhook with a signature. Played again, the webhook has a new id. The last answer to a call is
// given again and again. Faults concern recorded answers, too, except for faults of the data.
//
//	curl $fake/fixtures -d @pinwheel.paystubs.added.fixture.json
//
// # Registrations
//
// The APIs list, make and change the registrations for webhooks. A provider pauses a registration
// whose URL fails for long.
//
//	curl $fake/subscriptions -d '{"provider": "pinwheel",
//	  "url": "https://x.invalid/webhooks/pinwheel"}'
//	curl -X POST $fake/subscriptions/$id/pause
//	curl $fake/subscriptions
//
// # Faults
//
// A fault concerns the calls to one provider or to all, and to one path or to all. path is the name
// of an endpoint, and the fault then concerns this endpoint alone:
//
//	Pinwheel  account platform employment identity income paystubs paystub shifts
//	          direct_deposit_allocations tax_forms end_user_accounts voe voie accounts jobs
//	Truv      link employments profile statements truv_shifts bank_accounts
//	          income_report employment_report webhook_requests
//	both      webhooks
//
// Any other path is a part of the call's path, such as "/paystubs" (the list and each paystub) or
// the id of an account. times is how often the fault fires. With every, the fault fires at each
// n-th call. The response to a POST holds the fault's id. GET lists the faults with their counts,
// and DELETE clears all faults.
//
// Data that is stale has an old refreshed_at at Pinwheel, and a report of Truv has the status of a
// task that goes on. Missing records are left out of lists. Truv answers 404 where the profile or
// the report is missing, and to a call for the statements of an employment that is missing by its
// id. With repeat_cursor, a cursor of Pinwheel leads to the same page, and Truv answers the first
// page to every number, with a next page.
//
//	curl $fake/faults -d '{"path": "paystubs", "status": 429, "retry_after": "2", "times": 3}'
//	curl $fake/faults -d '{"provider": "truv", "status": 500, "every": 5}'
//	curl $fake/faults -d '{"status": 503, "body": "<h1>No</h1>", "headers": {"Via": "1.1 p"}}'
//	curl $fake/faults -d '{"path": "income", "redirect": "http://elsewhere.invalid/"}'
//	curl $fake/faults -d '{"path": "income", "body": "{\"data\": 1", "times": 1}'
//	curl $fake/faults -d '{"path": "shifts", "delay": "20s"}'
//	curl $fake/faults -d '{"path": "voe", "cut": 120}'
//	curl $fake/faults -d '{"path": "employment", "stale": true, "times": 2}'
//	curl $fake/faults -d '{"path": "/paystubs", "missing": true, "times": 1}'
//	curl $fake/faults -d '{"path": "paystubs", "missing": ["'$paystub'"]}'
//	curl $fake/faults -d '{"path": "shifts", "repeat_cursor": true}'
//	curl $fake/faults -d '{"path": "truv_shifts", "missing": true, "times": 2}'
//	curl $fake/faults -d '{"path": "income_report", "stale": true, "times": 1}'
//	curl $fake/faults -d '{"path": "/statements", "status": 429, "times": 1}'
//	curl $fake/faults
//	curl -X DELETE $fake/faults
//
// # Calls
//
//	curl $fake/calls
//	curl $fake/arrivals
//	curl -X DELETE $fake/calls
//
// GET of calls returns the total, a count for each endpoint such as
// "pinwheel GET /v1/accounts/{account_id}/paystubs", and a count for each status. GET of arrivals
// lists the provider and the time of each of the last calls. DELETE forgets both.
package fake
