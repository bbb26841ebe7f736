package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

func TestEveryProviderHasACompleteRow(t *testing.T) {
	titles := map[string]schema.Provider{}
	for _, p := range schema.Providers() {
		t.Run(string(p), func(t *testing.T) {
			if !p.Known() || !legalToken.MatchString(string(p)) {
				t.Errorf("the name %q is not a token, or has no row", p)
			}
			if other, taken := titles[p.Title()]; taken || p.Title() == "" {
				t.Errorf("the title is %q; it must not be empty or the title of another provider%s",
					p.Title(), other)
			}
			titles[p.Title()] = p
			layout := p.Layout()
			paths := slices.Concat([]string{layout.ID, layout.Type, layout.Account}, layout.Times)
			for _, path := range paths {
				if slices.Contains(strings.Split(path, "."), "") {
					t.Errorf("the layout in schema/%s.go has the path %q; "+
						"a path is names joined by dots", p, path)
				}
			}
			if len(layout.Times) == 0 {
				t.Errorf("the layout in schema/%s.go has no path of a time", p)
			}
		})
	}
}

func TestEveryProvidersTypesHaveNamesAndTokensOfTheirOwn(t *testing.T) {
	for _, p := range schema.Providers() {
		t.Run(string(p), func(t *testing.T) {
			names := map[string]bool{}
			tokens := map[string]string{}
			for _, w := range typesOf(p) {
				if names[w.Name] {
					t.Errorf("schema/%s.go has two rows of %q", p, w.Name)
				}
				names[w.Name] = true
				pair := string(w.Resource) + "." + w.Action
				if other, taken := tokens[pair]; taken {
					t.Errorf("in schema/%s.go %q and %q share %s", p, w.Name, other, pair)
				}
				tokens[pair] = w.Name
				for _, token := range strings.Split(pair, ".") {
					if !legalToken.MatchString(token) {
						t.Errorf("in schema/%s.go the token %q of %q is not legal",
							p, token, w.Name)
					}
				}
				if !w.Known() || w.Account == "" || w.Does == "" {
					t.Errorf("in schema/%s.go the row of %q is not complete: %+v", p, w.Name, w)
				}
			}
			if len(names) == 0 {
				t.Errorf("schema/%s.go has no types", p)
			}
		})
	}
}

func TestEveryTypeWithAWorkerHasASchemaAndASample(t *testing.T) {
	for _, w := range schema.Catalogue() {
		if len(w.Workers) == 0 {
			continue
		}
		if _, ok := jsonschema.Webhook(w.Provider, w.Name); !ok {
			t.Errorf("schema/jsonschema/%s.%s.json is missing", w.Provider, w.Name)
		}
		if _, ok := jsonschema.Sample(w.Provider, w.Name); !ok {
			t.Errorf("schema/jsonschema/samples/%s/%s.json is missing", w.Provider, w.Name)
		}
	}
}

func TestAnUnknownProviderHasNoRow(t *testing.T) {
	p := schema.Provider("argyle")
	layout := p.Layout()
	if p.Known() || p.Title() != "" || layout.ID != "" {
		t.Errorf("Known %t, title %q, layout %+v; want none", p.Known(), p.Title(), layout)
	}
}

func TestAProvidersVariableBeginsWithItsName(t *testing.T) {
	if got, want := schema.Pinwheel.Variable("SECRETS_FILE"), "PINWHEEL_SECRETS_FILE"; got != want {
		t.Errorf("Variable = %s, want %s", got, want)
	}
}

// typesOf returns the provider's rows of the catalogue.
func typesOf(p schema.Provider) []schema.WebhookType {
	return slices.DeleteFunc(schema.Catalogue(), func(w schema.WebhookType) bool {
		return w.Provider != p
	})
}

// checkRow compares a provider's row with lists written by hand, to notice a lost type or worker.
// documented are the names of all types, and workers the workers of types with any.
func checkRow(
	t *testing.T, p schema.Provider, documented []string, workers map[string][]schema.Resource,
) {
	t.Helper()
	var got []string
	gotWorkers := map[string][]schema.Resource{}
	for _, w := range typesOf(p) {
		got = append(got, w.Name)
		if len(w.Workers) > 0 {
			gotWorkers[w.Name] = w.Workers
		}
	}
	slices.Sort(got)
	compare(t, "documented types", slices.Sorted(slices.Values(documented)), got)
	compare(t, "workers", workers, gotWorkers)
}

// checkQueues compares a provider's queues, and the subjects of each, with a list written by hand.
func checkQueues(t *testing.T, p schema.Provider, want map[string][]string) {
	t.Helper()
	got := map[string][]string{}
	for _, q := range schema.Queues() {
		if q.Provider == p {
			got[q.Name] = q.Subjects
		}
	}
	compare(t, "subjects of the queues", want, got)
}
