package fake

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Subscription is a registration of the customer for a provider's webhooks. The fakes send webhooks
// to Config.WebhookURL whatever the registrations say.
type Subscription struct {
	ID       string   `json:"id"`
	Provider string   `json:"provider"`
	URL      string   `json:"url"`
	Events   []string `json:"events"`
	// Paused is true if the provider sends nothing.
	Paused bool `json:"paused"`
	// Version is that of the webhooks, at a provider that has versions.
	Version string `json:"version,omitempty"`
	// Environment is that of the webhooks, at a provider whose API serves several.
	Environment string `json:"environment,omitempty"`

	name          string
	made, changed time.Time
}

// Subscriptions lists the registrations, oldest first.
func (f *Providers) Subscriptions() []Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []Subscription{}
	for _, s := range f.subscriptions {
		list = append(list, *s)
	}
	return list
}

// Subscribe registers at the provider of s, with a new id.
func (f *Providers) Subscribe(s Subscription) (Subscription, error) {
	if _, err := lookup(s.Provider); err != nil {
		return Subscription{}, err
	}
	return f.subscribe(s), nil
}

func (f *Providers) subscribe(s Subscription) Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.ID = newUUID()
	s.made = f.now().UTC()
	s.changed = s.made
	f.subscriptions = append(f.subscriptions, &s)
	return s
}

// ChangeSubscription changes a registration as the customer or the provider does, and returns it.
func (f *Providers) ChangeSubscription(
	id string, change func(*Subscription),
) (Subscription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.subscriptions, func(s *Subscription) bool { return s.ID == id })
	if i < 0 {
		return Subscription{}, fmt.Errorf("no registration has the id %s", id)
	}
	s := f.subscriptions[i]
	change(s)
	s.changed = f.now().UTC()
	return *s, nil
}

// subscriptionsOf lists the registrations at a provider.
func (f *Providers) subscriptionsOf(provider string) []Subscription {
	return slices.DeleteFunc(f.Subscriptions(), func(s Subscription) bool {
		return s.Provider != provider
	})
}

func (f *Providers) postSubscription(r *http.Request) (int, any) {
	var in Subscription
	if err := readInstruction(r, &in); err != nil {
		return http.StatusBadRequest, err
	}
	s, err := f.Subscribe(in)
	if err != nil {
		return http.StatusBadRequest, err
	}
	return http.StatusCreated, s
}

func (f *Providers) postPause(r *http.Request) (int, any) {
	s, err := f.ChangeSubscription(r.PathValue("id"), func(s *Subscription) { s.Paused = true })
	if err != nil {
		return http.StatusNotFound, err
	}
	return http.StatusOK, s
}

// deliveriesMax is how many attempts the logs remember.
const deliveriesMax = 2000

// delivery is an attempt to send a webhook, for the log of a provider that keeps one.
type delivery struct {
	at      time.Time
	url     string
	webhook Webhook
	status  int // 0: there was no response
	err     string
}

// deliveriesOf lists the attempts of a provider since a time, newest first.
func (f *Providers) deliveriesOf(provider string, since time.Time) []delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []delivery
	for _, d := range slices.Backward(f.deliveries) {
		if d.webhook.Provider == provider && !d.at.Before(since) {
			list = append(list, d)
		}
	}
	return list
}
