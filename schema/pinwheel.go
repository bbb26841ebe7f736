package schema

// Pinwheel is https://www.pinwheelapi.com.
const Pinwheel Provider = "pinwheel"

// Paths of the ids in the bodies of Pinwheel's webhooks.
const (
	pinwheelAccount = "payload.account_id"
	pinwheelEndUser = "payload.end_user_id"
)

// pinwheel is Pinwheel's row: the 34 webhook types of enabled_events in its OpenAPI 2025-07-08, and
// account.removed.
//
// A body is {"event": …, "event_id": …, "payload": {…}}. payload.id names a job of Pinwheel, not
// the event. Every type about a job has payload.timestamp. The types of accounts and
// verification_reports.refreshed have none.
var pinwheel = providerRow{
	name:  Pinwheel,
	title: "Pinwheel",
	layout: Layout{
		ID:      "event_id",
		Type:    "event",
		Times:   []string{"payload.timestamp"},
		Account: pinwheelAccount,
	},
	types: []WebhookType{
		pinwheelJob(Employment, ActionAdded, pinwheelSnapshot+"employment"),
		pinwheelJob(Identity, ActionAdded, pinwheelSnapshot+"identity"),
		pinwheelJob(Income, ActionAdded, pinwheelSnapshot+"income"),
		pinwheelJob(Paystubs, ActionAdded,
			"list the pages between the dates of `params`, keep the ids in `added`, "+
				"fetch each id missing from the list by itself"),
		pinwheelJob(Paystubs, ActionSevenDaysSynced, pinwheelPaystubsWithinDates),
		pinwheelJob(Paystubs, ActionThirtyDaysSynced, pinwheelPaystubsWithinDates),
		pinwheelJob(Paystubs, ActionNinetyDaysSynced, pinwheelPaystubsWithinDates),
		{
			Name: "paystubs.fully_synced", Resource: Paystubs, Action: ActionFullySynced,
			Account: pinwheelAccount, Workers: []Resource{Paystubs, Income},
			OnSuccess: []Resource{Income},
			Does: "list every page; fetch income again, because it changes when paystubs " +
				"finish",
		},
		pinwheelJob(Shifts, ActionAdded,
			"list pages, newest first, keep the ids in `added`, stop when all are found"),
		pinwheelJob(Shifts, ActionSevenDaysSynced, pinwheelAllShifts),
		pinwheelJob(Shifts, ActionThirtyDaysSynced, pinwheelAllShifts),
		pinwheelJob(Shifts, ActionNinetyDaysSynced, pinwheelAllShifts),
		pinwheelJob(Shifts, ActionFullySynced, pinwheelAllShifts),
		{
			Name: "verification_reports.refreshed", Resource: VerificationReports,
			Action: ActionRefreshed, Account: pinwheelEndUser, NamesEndUser: true,
			Workers: []Resource{VerificationReports},
			Does: "list the pages of GET /v1/end_users/{end_user_id}/accounts: one call more an " +
				"event; GET /v1/end_users/{end_user_id}/verification_reports/voe and /voie, " +
				"each if `availability` says available; a completion for each account",
		},
		pinwheelLink("account.added", "account", ActionAdded),
		pinwheelLink("account.monitoring_status.updated", "account_monitoring_status", "updated"),
		// account.removed stands in no list of Pinwheel's that we know. If such a webhook comes, it
		// tells of a link, and so must have a completion.
		pinwheelLink("account.removed", "account", ActionRemoved),

		// From here on, the resource is everything before the last dot of the type, with _ for a
		// dot. Pinwheel's own job names are formed in the same way, such as paystubs_documents.
		{
			// The paystubs have other data than before: their documents.
			Name: "paystubs.documents.added", Resource: "paystubs_documents", Action: ActionAdded,
			Account: pinwheelAccount, Workers: []Resource{Paystubs, Notices},
			OnSuccess: []Resource{Paystubs},
			Does:      pinwheelPaystubsWithinDates + pinwheelNoticeToo,
		},
		pinwheelNotice("documents.added", "documents", ActionAdded),
		pinwheelFetched("tax_forms.added", TaxForms, TaxForms,
			"list pages, keep the ids in `added`, stop when all are found"),
		pinwheelFetched("direct_deposit_allocations.added", "direct_deposit_allocations",
			BankAccounts, pinwheelSnapshot+"direct_deposit_allocations"),
		pinwheelNotice("direct_deposit_switch.added", "direct_deposit_switch", ActionAdded),
		pinwheelNotice("earnings_stream.payouts.refreshed",
			"earnings_stream_payouts", ActionRefreshed),

		pinwheelStored("account.additional_connections_recommended",
			"account", "additional_connections_recommended",
			"it recommends other accounts to connect, and has no data of this account"),
		pinwheelStored("bill.added", "bill", "added", pinwheelBills),
		pinwheelStored("bill.reminder", "bill", "reminder", pinwheelBills),
		pinwheelStored("bill.removed", "bill", "removed", pinwheelBills),
		pinwheelStored("bill.updated", "bill", "updated", pinwheelBills),
		pinwheelStored("bill_switch.added", "bill_switch", "added", pinwheelBills),
		pinwheelStored("bill_switch.cancelled", "bill_switch", "cancelled", pinwheelBills),
		pinwheelStored("company_connect.census.added",
			"company_connect_census", "added", pinwheelCompanies),
		pinwheelStored("company_connect.employments.added",
			"company_connect_employments", "added", pinwheelCompanies),
		pinwheelStored("company_connect.incomes.added",
			"company_connect_incomes", "added", pinwheelCompanies),
		pinwheelStored("company_connect.status.updated",
			"company_connect_status", "updated", pinwheelCompanies),
		pinwheelStored("paycheck_viewer.added", "paycheck_viewer", "added",
			"it is of the product that shows paychecks to the person"),
	},
}

// Descriptions of a worker's part for several of Pinwheel's types.
const (
	pinwheelSnapshot            = "GET /v1/accounts/{account_id}/"
	pinwheelPaystubsWithinDates = "list pages, keep the paystubs paid within the dates of `params`"
	pinwheelAllShifts           = "list every page"
	pinwheelNoCall              = "no API call: the record is `payload`"
	pinwheelNoticeToo           = "; notices: " + pinwheelNoCall

	// Why no worker reads a type.
	pinwheelBills     = "it is of the product for a person's bills"
	pinwheelCompanies = "it is of the product for employers, whose data is not that of one person"
)

// pinwheelJob returns the type of a webhook about a job of Pinwheel. The worker of its own resource
// reads the type.
func pinwheelJob(r Resource, action, does string) WebhookType {
	return WebhookType{
		Name: string(r) + "." + action, Resource: r, Action: action, Account: pinwheelAccount,
		Workers: []Resource{r}, Does: does,
	}
}

// pinwheelLink returns the type of a webhook about an account itself: whether Pinwheel reaches it.
// Pinwheel's account is what Truv calls a link, so the worker of links reads the type.
func pinwheelLink(name string, r Resource, action string) WebhookType {
	return WebhookType{
		Name: name, Resource: r, Action: action, Account: pinwheelAccount,
		Workers: []Resource{Link},
		Does:    "GET /v1/accounts/{account_id}, and /v1/platforms/{platform_id}",
	}
}

// pinwheelNotice returns the type of a webhook that tells of a person's data which no worker
// fetches. The worker of notices reads the type.
func pinwheelNotice(name string, r Resource, action string) WebhookType {
	return WebhookType{
		Name: name, Resource: r, Action: action, Account: pinwheelAccount,
		Workers: []Resource{Notices}, Does: pinwheelNoCall,
	}
}

// pinwheelFetched returns the type of a webhook about data that had only the worker of notices in
// earlier releases. The worker of notices still reads the type, for its subscribers.
func pinwheelFetched(name string, r, worker Resource, does string) WebhookType {
	return WebhookType{
		Name: name, Resource: r, Action: ActionAdded, Account: pinwheelAccount,
		Workers: []Resource{worker, Notices}, Does: does + pinwheelNoticeToo,
	}
}

// pinwheelStored returns a type without workers.
func pinwheelStored(name string, r Resource, action, why string) WebhookType {
	return storedType(name, r, action, pinwheelAccount, why)
}
