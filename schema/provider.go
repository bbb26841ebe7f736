package schema

import "strings"

// Provider is the name of a payroll data provider, as written in subjects, queue names and URLs.
type Provider string

// providers is the registry of this module: one row a provider, in the order in which tables show
// them. To add a provider, write its row in a file of its own, such as pinwheel.go, and list the
// row here.
//
// Three more registries need a row for every provider: schemes (ingress/webhook), providers
// (workers/fetch) and Providers (deploy/fake). A test in deploy looks for every provider in all of
// them.
var providers = []providerRow{pinwheel, truv}

// providerRow holds the facts of the contract about one provider.
type providerRow struct {
	name Provider
	// title is the provider's name in prose.
	title string
	// layout says where the provider's webhooks hold the fields of an event.
	layout Layout
	// types are the webhook types documented by the provider.
	types []WebhookType
}

// Layout says where the body of a provider's webhook holds the fields of an event. A path is a
// list of JSON member names, joined by dots.
type Layout struct {
	// ID is the path of the webhook's id, and Type the path of its type.
	ID, Type string
	// Times are paths of the time of the event, the best path first.
	Times []string
	// Account is the path of the account's id in a webhook of a type without a catalogue row.
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

// Known reports whether the registry has a row for the provider.
func (p Provider) Known() bool { return p.row().name != "" }

// Title is the provider's name in prose, such as "Pinwheel".
func (p Provider) Title() string { return p.row().title }

// Layout says where the provider's webhooks hold the fields of an event.
func (p Provider) Layout() Layout { return p.row().layout }

// Variable is the full name of a provider's environment variable: the variable SECRETS_FILE of
// Pinwheel is PINWHEEL_SECRETS_FILE.
func (p Provider) Variable(name string) string { return strings.ToUpper(string(p)) + "_" + name }

// row returns the provider's row, or an empty row if the provider is unknown.
func (p Provider) row() providerRow {
	for _, row := range providers {
		if row.name == p {
			return row
		}
	}
	return providerRow{}
}
