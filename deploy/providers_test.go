package deploy_test

import (
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/fake/signature"
	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/workers/fetch"
)

// TestProviders walks every provider of the contract through the registries of the other modules.
// A failure names the file to add: .github/CONTRIBUTING.md has the recipe.
func TestProviders(t *testing.T) {
	for _, p := range schema.Providers() {
		if err := webhook.Covers(p); err != nil {
			t.Errorf("ingress: %v", err)
		}
		if err := fake.Covers(string(p)); err != nil {
			t.Errorf("deploy: %v", err)
		}
		if _, ok := signature.Of(string(p)); !ok {
			t.Errorf("deploy: add %s to deploy/fake/signature/signature.go, for wagewire send", p)
		}
	}
	for _, w := range schema.Catalogue() {
		if len(w.Workers) == 0 {
			continue
		}
		if _, ok := jsonschema.Webhook(w.Provider, w.Name); !ok {
			t.Errorf("schema: write schema/jsonschema/%s.%s.json", w.Provider, w.Name)
		}
		if _, ok := jsonschema.Sample(w.Provider, w.Name); !ok {
			t.Errorf("schema: write schema/jsonschema/samples/%s/%s.json", w.Provider, w.Name)
		}
	}
	for _, q := range schema.Queues() {
		if !q.Erases && len(jsonschema.Kinds(q.Provider, q.Resource)) == 0 {
			t.Errorf("schema: add a row of %s %s to recordRows in schema/jsonschema/record.go",
				q.Provider, q.Resource)
		}
		if err := fetch.Covers(q); err != nil {
			t.Errorf("workers: %v", err)
		}
	}
}
