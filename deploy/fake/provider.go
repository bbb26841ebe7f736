package fake

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// providers is the registry of the fakes: a row for each provider, in the provider's own file.
// To add a provider, write <name>.go with its row and name the row here.
var providers = []provider{pinwheel, truv}

// provider is a row: everything about a provider. Providers.mu is held during calls of a function
// with "locked" in its comment.
type provider struct {
	// name is the provider's name as paths and JSON fields spell it.
	name string
	// secret signs webhooks and opens the API unless Config.Secrets holds another. The secret
	// is published and protects nothing.
	secret string
	// environment holds the variables of a worker besides the URL and the secret. A key is the
	// variable's name without the provider's prefix, such as CLIENT_ID.
	environment map[string]string

	// spells reports whether the provider spells webhook types in the same way.
	spells func(webhookType string) bool
	// open opens an account for the person. An empty id means a new id. The person keeps the
	// account in Person.accounts under the provider's name.
	open func(p *Person, id string, made ids)
	// ids lists the person's ids at the provider, the account's id first.
	ids func(p *Person) object
	// idPath leads to the webhook's id in a webhook's body by the names of members, and newID makes
	// an id.
	idPath []string
	newID  func() string
	// webhook makes a webhook about the person (locked).
	webhook func(p *Person, webhookType string, opts EventOptions, at time.Time) Webhook
	// timeline lists the moments at which the provider sends webhooks about a new account.
	timeline func(p *Person) []moment
	// parting lists the moments after the timeline, in which the provider loses the account. It may
	// be nil: the provider keeps the account.
	parting func(p *Person) []moment
	// apply puts the person's account into the state of a webhook, before the webhook is sent
	// (locked). apply may be nil.
	apply func(p *Person, w Webhook, at time.Time)

	// sign sets the headers with the signature of the body.
	sign func(header http.Header, secret string, at time.Time, body []byte)
	// describe sets the other headers of a webhook. registration is the id of the customer's
	// registration for webhooks.
	describe   func(header http.Header, registration string)
	redelivery redelivery
	// keepsLog is true if the provider's API has a log of the webhooks that were sent.
	keepsLog bool

	// endpoints lists the endpoints of the provider's API.
	endpoints func(f *Providers) []endpoint
	// refuse returns the response to a call with wrong credentials. With right credentials
	// refuse returns false.
	refuse func(secret string, r *http.Request) (reply, bool)
	// fail returns the provider's own error response with the status.
	fail func(status int, retryAfter string) reply
	// annotate sets the headers of every response. annotate may be nil.
	annotate func(header http.Header, r *http.Request)
}

// moment makes the webhooks of a single time of a timeline (locked).
type moment func(at time.Time) []Webhook

// redelivery is how a provider repeats a webhook that was not accepted.
type redelivery struct {
	repeats    func(status int) bool // status 0: there was no response
	repeatsMax int                   // attempts after the first
	wait       time.Duration         // before the second attempt
	growth     int                   // each wait is so many times the wait before
	answerFor  time.Duration         // how long the receiver may take
}

// lookup returns the row of a provider.
func lookup(name string) (provider, error) {
	for _, p := range providers {
		if p.name == name {
			return p, nil
		}
	}
	return provider{}, fmt.Errorf("no provider %q: there are %s", name, strings.Join(Names(), ", "))
}

// ofType returns the provider with webhook types of the same spelling.
func ofType(webhookType string) (provider, error) {
	for _, p := range providers {
		if p.spells(webhookType) {
			return p, nil
		}
	}
	return provider{}, fmt.Errorf("no provider spells a type like %q: name the provider (%s)",
		webhookType, strings.Join(Names(), ", "))
}

// Names lists the fake providers.
func Names() []string {
	var list []string
	for _, p := range providers {
		list = append(list, p.name)
	}
	return list
}

// Covers returns an error if the provider has no fake. The error names the files to change.
func Covers(name string) error {
	if _, err := lookup(name); err != nil {
		return fmt.Errorf("there is no fake of provider %s: write deploy/fake/%s.go, "+
			"and add its row to providers in deploy/fake/provider.go", name, name)
	}
	return nil
}

// Secret returns the published secret of a fake provider, "" for an unknown provider. The fake
// signs webhooks with the secret and expects the secret from workers.
func Secret(name string) string {
	p, _ := lookup(name)
	return p.secret
}

// Environment returns the variables that point a worker to the fake of a provider. url is where
// Providers is served. A key is the variable's name without the provider's prefix: "URL" for
// PINWHEEL_URL. The variable of the secret's file is not among them.
func Environment(name, url string) map[string]string {
	p, err := lookup(name)
	if err != nil {
		return nil
	}
	variables := map[string]string{"URL": url + "/" + p.name}
	maps.Copy(variables, p.environment)
	return variables
}

// Sign sets the headers of the provider with a signature of the body and, at some providers, the
// time. Sign fails if the provider has no fake.
func Sign(name string, header http.Header, secret string, at time.Time, body []byte) error {
	p, err := lookup(name)
	if err != nil {
		return err
	}
	p.sign(header, secret, at, body)
	return nil
}
