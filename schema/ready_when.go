package schema

import (
	"fmt"
	"slices"
	"strings"
)

// ReadyWhen are the resources that make an account ready. Empty: see Awaited.
type ReadyWhen []Resource

// UnmarshalText parses the value of an environment variable: resources with commas between.
func (w *ReadyWhen) UnmarshalText(text []byte) error {
	known := accountResources()
	var parsed ReadyWhen
	for name := range strings.SplitSeq(string(text), ",") {
		r := Resource(strings.TrimSpace(name))
		if !slices.Contains(known, r) {
			return fmt.Errorf("%q is not a resource of an account: write some of %s, "+
				"with commas between", r, joinNames(known))
		}
		parsed = append(parsed, r)
	}
	*w = parsed
	return nil
}

func joinNames(resources []Resource) string {
	var names []string
	for _, r := range resources {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// Awaited returns the resources that an account of the provider awaits, sorted: those of w, and if
// the provider has no worker for any of these, every resource of its accounts except the link, bank
// accounts and tax forms, or the link if there is no other. Of these it returns the supported ones,
// if they are known, and the link. If none of them is supported, nothing is awaited.
func (w ReadyWhen) Awaited(p Provider, supported []Resource) []Resource {
	served := p.accountResources()
	isServed := func(r Resource) bool { return slices.Contains(served, r) }
	awaited := chooseResources(w, isServed)
	if len(awaited) == 0 {
		awaited = chooseResources(served, Resource.isAwaitedByDefault)
	}
	if len(awaited) == 0 {
		awaited = served
	}
	if supported != nil {
		awaited = chooseResources(awaited, func(r Resource) bool {
			return r == Link || slices.Contains(supported, r)
		})
	}
	slices.Sort(awaited)
	return slices.Compact(awaited)
}

// isAwaitedByDefault reports whether an account awaits the resource without a choice of the
// operator. The link has no data of the person. Bank accounts and tax forms are of products that
// the operator need not have.
func (r Resource) isAwaitedByDefault() bool {
	return r != Link && r != BankAccounts && r != TaxForms
}

func chooseResources(from []Resource, isChosen func(Resource) bool) []Resource {
	chosen := []Resource{} // [] in JSON, and not null
	for _, r := range from {
		if isChosen(r) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// accountResources returns the resources that an account can await, of all providers.
func accountResources() []Resource {
	var all []Resource
	for _, p := range Providers() {
		all = append(all, p.accountResources()...)
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// accountResources returns the provider's resources that an account can await. A completion that
// names only a person has no account, and nobody knows whether an account will have a notice.
func (p Provider) accountResources() []Resource {
	var resources []Resource
	for _, t := range catalogue {
		if t.Provider != p || t.NamesEndUser {
			continue
		}
		for _, r := range t.Workers {
			if r != Notices && !slices.Contains(resources, r) {
				resources = append(resources, r)
			}
		}
	}
	return resources
}
