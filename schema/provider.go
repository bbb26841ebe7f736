package schema

import "strings"

// Provider names a payroll data provider, as the name stands in subjects, queue names and URLs.
type Provider string

// providers is the registry of this module: one row a provider, in the order in which tables show them. The other
// registries are schemes (ingress/webhook), providers (workers/fetch) and providers (deploy/fake); a test in deploy
// walks the rows of this one through all of them.
var providers = []providerRow{pinwheel, truv}

// providerRow is what the contract knows of one provider.
type providerRow struct {
	name Provider
	// title is the provider's name as people write it.
	title string
	// body is where the provider's webhooks say what an event needs.
	body Layout
	// types are the webhook types that the provider documents.
	types []WebhookType
}

// Layout is where the body of a provider's webhook says what an event needs. A path is the names of JSON members joined
// by dots.
type Layout struct {
	// ID and Type are the paths of the webhook's id and type.
	ID, Type string
	// Times are the paths of the time at which it happened, the best one first.
	Times []string
	// Account is the path of the account's id in a webhook of a type that the catalogue does not have.
	Account string
}

// Providers lists every provider, in the order in which tables show them.
func Providers() []Provider {
	var names []Provider
	for _, row := range providers {
		names = append(names, row.name)
	}
	return names
}

// Known reports whether the provider has a row.
func (p Provider) Known() bool { return p.row().name != "" }

// Title is the provider's name as people write it: "Pinwheel".
func (p Provider) Title() string { return p.row().title }

// Layout is where the provider's webhooks say what an event needs.
func (p Provider) Layout() Layout { return p.row().body }

// Variable is the name of one of the provider's environment variables: Pinwheel's "SECRETS_FILE" is PINWHEEL_SECRETS_FILE.
func (p Provider) Variable(name string) string { return strings.ToUpper(string(p)) + "_" + name }

// row returns the provider's row, an empty one for a provider that has none.
func (p Provider) row() providerRow {
	for _, row := range providers {
		if row.name == p {
			return row
		}
	}
	return providerRow{}
}
