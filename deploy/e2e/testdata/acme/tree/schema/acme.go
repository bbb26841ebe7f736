package schema

// Acme is a provider that exists only in tests.
const Acme Provider = "acme"

// acmePerson is the path of the id that names an account.
const acmePerson = "person.ref"

var acme = providerRow{
	name:  Acme,
	title: "Acme",
	layout: Layout{
		ID:      "meta.delivery",
		Type:    "meta.kind",
		Times:   []string{"meta.sent"},
		Account: acmePerson,
	},
	types: []WebhookType{
		{
			Name: "EMPLOYMENT_READY", Resource: Employment, Action: ActionAdded,
			Account: acmePerson,
			Workers: []Resource{Employment}, Does: "GET /v2/people/{ref}/employment",
		},
		{
			Name: "PAY_READY", Resource: Paystubs, Action: ActionFullySynced, Account: acmePerson,
			Workers: []Resource{Paystubs}, Does: "GET /v2/people/{ref}/pay, every page",
		},
		storedType("PERSON_SEEN", "person", "seen", acmePerson, "nobody asks who was seen"),
	},
}
