package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
	"github.com/wagewire/wagewire/workers/pinwheel"
	"github.com/wagewire/wagewire/workers/truv"
)

// registration is a registration for webhooks at a provider.
type registration struct {
	url    string
	events []string
	// isActive is false if the provider sends nothing.
	isActive bool
	// repair makes the registration active, for the types.
	repair func(ctx context.Context, events []string) error
}

// registry is the part of a provider's API with our registrations.
type registry interface {
	// list returns the registrations of our environment. It needs the credentials and changes
	// nothing.
	list(ctx context.Context) (found, error)
}

// found is what a provider knows of us.
type found struct {
	registrations []registration
	// create registers a URL for the types.
	create func(ctx context.Context, url string, events []string) error
}

// registries opens the registry of a provider.
var registries = map[schema.Provider]func(workers.Surroundings) (registry, func(), error){
	schema.Pinwheel: func(of workers.Surroundings) (registry, func(), error) {
		client, closeAll, err := fetch.OpenPinwheel(of)
		return pinwheelRegistry{client}, closeAll, err
	},
	schema.Truv: func(of workers.Surroundings) (registry, func(), error) {
		client, closeAll, err := fetch.OpenTruv(of)
		return truvRegistry{client}, closeAll, err
	},
}

type pinwheelRegistry struct{ *pinwheel.Client }

func (r pinwheelRegistry) list(ctx context.Context) (found, error) {
	webhooks, err := r.Webhooks(ctx)
	all := found{create: r.CreateWebhook}
	for _, w := range webhooks {
		all.registrations = append(all.registrations, registration{
			url: w.URL, events: w.Events, isActive: w.Status == pinwheel.WebhookActive,
			repair: func(ctx context.Context, events []string) error {
				return r.ActivateWebhook(ctx, w, events)
			},
		})
	}
	return all, err
}

type truvRegistry struct{ *truv.Client }

// registrationName is the name of our registration at Truv.
const registrationName = "wagewire"

func (r truvRegistry) list(ctx context.Context) (found, error) {
	webhooks, err := r.Webhooks(ctx)
	if err != nil {
		return found{}, err
	}
	environment, err := r.Environment()
	if err != nil {
		return found{}, err
	}
	all := found{create: func(ctx context.Context, url string, events []string) error {
		return r.CreateWebhook(ctx, registrationName, url, events)
	}}
	for _, w := range webhooks {
		if w.Environment != "" && w.Environment != environment {
			continue
		}
		all.registrations = append(all.registrations, registration{
			url: w.URL, events: w.Events, isActive: w.Enabled,
			repair: func(ctx context.Context, events []string) error {
				return r.EnableWebhook(ctx, w.ID, events)
			},
		})
	}
	return all, nil
}

// judgeRegistration says whether the provider sends us what we need.
func (p Patient) judgeRegistration(provider schema.Provider, all found) Check {
	const name = "registration"
	const fixCommand = "wagewire doctor --fix"
	of := string(provider)
	if p.WebhookURL == "" {
		return skipped(name, of, "set WEBHOOK_URL or --webhook-url: our public address")
	}
	address := AddressOf(p.WebhookURL, provider)
	needed, _ := EventsOf(provider)
	ours := slices.DeleteFunc(slices.Clone(all.registrations), func(r registration) bool {
		return !isSameURL(r.url, address)
	})
	if len(ours) == 0 {
		c := bad(name, of, fmt.Sprintf("%s is not registered (%s registered)", address,
			count(len(all.registrations), "other URL")), fixCommand)
		c.fix = &Fix{
			Does: fmt.Sprintf("register %s at %s, for %s", address, provider.Title(),
				count(len(needed), "type")),
			Apply: func(ctx context.Context) error { return all.create(ctx, address, needed) },
		}
		return c
	}
	return judgeOurs(provider, address, ours, needed)
}

// judgeOurs judges the registrations of our address. With several, one must be active and have all
// types: each of them sends every webhook, and ingress stores it once.
func judgeOurs(
	provider schema.Provider, address string, ours []registration, needed []string,
) Check {
	const name = "registration"
	const fixCommand = "wagewire doctor --fix"
	of := string(provider)
	best := ours[0]
	for _, r := range ours {
		if r.isActive && (!best.isActive ||
			len(missing(needed, r.events)) < len(missing(needed, best.events))) {
			best = r
		}
	}
	lacks := missing(needed, best.events)
	if best.isActive && len(lacks) == 0 {
		return ok(name, of, fmt.Sprintf("%s is active, with all %s%s", address,
			count(len(needed), "type"), saysOfRest(provider)))
	}
	var faults []string
	if !best.isActive {
		faults = append(faults, "is paused")
	}
	if len(lacks) > 0 {
		faults = append(faults, "lacks "+strings.Join(lacks, ", "))
	}
	c := bad(name, of, address+" "+strings.Join(faults, ", and "), fixCommand)
	// Types that we do not need stay: somebody may want them stored.
	events := slices.Concat(best.events, lacks)
	c.fix = &Fix{
		Does:  doesRepair(best.isActive, len(lacks), address+" at "+provider.Title()),
		Apply: func(ctx context.Context) error { return best.repair(ctx, events) },
	}
	return c
}

// doesRepair says what changes of a registration, and nothing of what stays.
func doesRepair(isActive bool, lacks int, of string) string {
	add := "add " + count(lacks, "type")
	switch {
	case isActive:
		return add + " to the registration of " + of
	case lacks == 0:
		return "make the registration of " + of + " active"
	default:
		return "make the registration of " + of + " active, and " + add
	}
}

// saysOfRest names the types with a worker that no registration can have.
func saysOfRest(provider schema.Provider) string {
	_, refused := EventsOf(provider)
	if len(refused) == 0 {
		return ""
	}
	return " that can be enabled: " + strings.Join(refused, ", ") + " cannot"
}
