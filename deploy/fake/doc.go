// Package fake is a fake Pinwheel and a fake Truv: HTTP servers that
// answer the calls which the workers make, sign and send the webhooks which
// ingress takes, and misbehave when told to. It shares no code with the
// clients, so that a mistake in one is not repeated in the other.
//
// What the fakes do is what the providers' pages say (docs.pinwheelapi.com,
// docs.truv.com), and where those are silent what was recorded of Pinwheel's
// sandbox. Comments name the page. All personal data is invented and of forms
// that no real data has; [Person.Canaries] lists it for tests.
//
// One handler serves three trees:
//
//	/pinwheel/v1/…   x-api-secret, Pinwheel-Version
//	/truv/v1/…       X-Access-Client-Id, X-Access-Secret
//	/control/…       no credentials; people and scripts alike
//
// The methods of [Providers] do what the control tree does. In the examples:
//
//	fake=http://127.0.0.1:8081/control
//
// # People
//
// A person has 31 paystubs and 90 shifts unless told otherwise. Playing a
// person sends what [Providers.Timeline] shows; times sends each webhook more than
// once, shuffled sends them in no order, retry sends again as the provider
// would.
//
//	curl $fake/people -d '{"paystubs": 400, "shifts": 90}'
//	curl $fake/people -d '{"end_user_id": "user/1", "seed": 7}'
//	curl $fake/people
//	curl -X POST $fake/people/$id/play
//	curl $fake/people/$id/play -d '{"times": 2, "retry": true}'
//	curl $fake/people/$id/play -d '{"shuffled": true}'
//
// # Webhooks
//
// A webhook is about the newest person unless account says otherwise: the id
// of an account, an end user or a link. An id that nobody has is a stranger,
// whose data is not found. Any type may be sent.
//
//	curl $fake/webhooks -d '{"type": "employment.added", "outcome": "pending"}'
//	curl $fake/webhooks -d '{"type": "employment.added"}'
//	curl $fake/webhooks -d '{"type": "income.added", "outcome": "error", "error_code": "accountLocked", "error_type": "userActionRequired"}'
//	curl $fake/webhooks -d '{"type": "paystubs.added", "added": ["no-such-id"], "deleted": ["old-id"]}'
//	curl $fake/webhooks -d '{"type": "link-deleted", "account": "'$link'"}'
//	curl $fake/webhooks -d '{"type": "identity.added", "id": "my-id", "times": 3, "retry": true}'
//	curl $fake/webhooks -d '{"type": "identity.added", "bad_signature": true}'
//	curl $fake/webhooks -d '{"type": "identity.added", "old_timestamp": "1h"}'
//	curl $fake/webhooks -d '{"provider": "truv", "raw": "{not json"}'
//	curl $fake/webhooks
//
// Posting answers the id, type and status, and what the receiver said; status
// 0 means that nobody answered. GET lists what was sent.
//
// # Faults
//
// A fault concerns the calls of one provider (or both) to one path (or all).
// path is an endpoint's name, and then means this endpoint alone:
//
//	account employment identity income paystubs paystub shifts voe voie link
//
// or else any part of the path, such as "/paystubs" (the list and each
// paystub) or an account's id. times says how often the fault fires, every
// that only each n-th call meets it. Posting answers the fault with its id;
// GET lists the faults and how often each has fired; DELETE clears them all.
//
//	curl $fake/faults -d '{"path": "paystubs", "status": 429, "retry_after": "2", "times": 3}'
//	curl $fake/faults -d '{"provider": "truv", "status": 500, "every": 5}'
//	curl $fake/faults -d '{"status": 503, "body": "<h1>Bad gateway</h1>", "headers": {"Via": "1.1 proxy"}}'
//	curl $fake/faults -d '{"path": "income", "redirect": "http://elsewhere.invalid/"}'
//	curl $fake/faults -d '{"path": "income", "body": "{\"data\": 1", "times": 1}'
//	curl $fake/faults -d '{"path": "shifts", "delay": "20s"}'
//	curl $fake/faults -d '{"path": "voe", "cut": 120}'
//	curl $fake/faults -d '{"path": "employment", "stale": true, "times": 2}'
//	curl $fake/faults -d '{"path": "/paystubs", "missing": true, "times": 1}'
//	curl $fake/faults -d '{"path": "paystubs", "missing": ["'$paystub'"]}'
//	curl $fake/faults -d '{"path": "shifts", "repeat_cursor": true}'
//	curl $fake/faults
//	curl -X DELETE $fake/faults
//
// # Calls
//
//	curl $fake/calls
//	curl -X DELETE $fake/calls
//
// GET answers the total, a count for each endpoint such as
// "pinwheel GET /v1/accounts/{account_id}/paystubs", and one for each status.
package fake
