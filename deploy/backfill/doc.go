// Package backfill brings back the webhooks that a provider could not deliver: in an outage of
// ingress or of the broker that was longer than the provider's resends. A webhook that is missing
// on the events stream is stored there as a backfill. Workers take backfills after fresh events.
//
// # Truv
//
// Truv keeps a log of the webhooks that it sent or tried to send, for 30 days (GET
// /v1/webhook-requests/). The log has the body of each webhook, so the backfill stores the webhook
// itself, under its own id. The stored bytes are those of the log. Their JSON has the same values,
// but maybe other spaces than the bytes that Truv signed.
//
// # Pinwheel
//
// Pinwheel has no such log. The backfill compares what Pinwheel has with what Wagewire knows:
//
//	GET /v1/accounts?connected=true    when the data of each job last changed (data_updated_at)
//	GET /v1/jobs                       the jobs of people who connected an account
//	the events stream                  the webhooks that came
//	the state of the account           the completions, also of webhooks that are no longer stored
//
// For each account and each of employment, identity, income, paystubs, shifts,
// direct_deposit_allocations and tax_forms, the newest job, or a newer change of the data, must
// have a webhook. Without one, the backfill builds the webhook from the job: <job>.added, and for
// paystubs and shifts <job>.fully_synced, whose worker reads the whole list. A built
// tax_forms.added has the ids of all forms in GET /v1/accounts/{account_id}/tax_forms, because the
// job has none. If Pinwheel lists a job paystubs_documents, paystubs.documents.added is built from
// it; a built paystubs.fully_synced brings the documents, too. An account without any event or
// state of a link gets account.added. These cannot be built, because Pinwheel's API has no trace of
// them: verification_reports.refreshed, account.monitoring_status.updated, and the other types of
// notices. If the worker of notices reads a built webhook, its record is the built payload.
//
// The id of a built webhook is made of the account, the type, and the job or the time of the
// change. A second backfill makes the same id and stores nothing. Pinwheel's own webhook of the
// same job has another id. If it comes after the backfill, it is an event of its own and has a
// completion of its own. That is harmless: both completions hold the data that Pinwheel had at the
// fetch, consumers upsert by the ids of records, and the state of the account is the same with one
// of them or with both. To make this rare, the backfill leaves data alone that is younger than
// Config.SettledFor, because Pinwheel may still send the webhook.
//
// # What is left alone
//
// Erased accounts, accounts that are not connected at Pinwheel, and whatever has an event or a
// completion, however that ended: wagewire dead redrive repeats what failed.
//
// # Calls
//
// The calls take turns from the provider's budget, which the workers share, after the calls for
// fresh events. A backfill of all accounts costs a call for each hundred accounts and for each
// hundred jobs at Pinwheel, a call for each account without its tax_forms.added, and a call for
// each page of the log at Truv.
package backfill
