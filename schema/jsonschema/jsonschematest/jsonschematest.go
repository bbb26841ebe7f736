// Package jsonschematest lets tests of every module hold what crosses the wire against its schema. Only _test.go files and
// deploy import it.
package jsonschematest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

// Webhook fails the test where body is not a webhook of that type by its schema.
func Webhook(t testing.TB, p schema.Provider, name string, body []byte) {
	t.Helper()
	rules, ok := jsonschema.Webhook(p, name)
	if !ok {
		t.Fatalf("there is no schema of %s %s", p, name)
	}
	Validate(t, rules, body)
}

// Completion fails the test where doc is not a completion: see CheckCompletion.
func Completion(t testing.TB, doc []byte) {
	t.Helper()
	if err := CheckCompletion(doc); err != nil {
		t.Errorf("%v\nin %s", err, doc)
	}
}

// Validate fails the test where doc breaks the rules of the schema.
func Validate(t testing.TB, rules, doc []byte) {
	t.Helper()
	if err := Check(rules, doc); err != nil {
		t.Errorf("%v\nin %s", err, doc)
	}
}

// CheckCompletion reports what in doc breaks the schema of completions, and what no schema can tell: a field that
// schema.Completion does not have, and an envelope that says other than its data.
func CheckCompletion(doc []byte) error {
	if err := Check(jsonschema.Completion(), doc); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.DisallowUnknownFields()
	var c schema.Completion
	if err := decoder.Decode(&c); err != nil {
		return fmt.Errorf("completion: %w", err)
	}
	d := c.Data
	e := schema.Event{Provider: d.Provider, ID: d.Event.ID}
	like := schema.NewCompletion(e, d.Resource, d.Outcome, c.Time)
	var errs []error
	for _, field := range []struct{ name, got, want string }{
		{"id", c.ID, like.ID},
		{"source", c.Source, like.Source},
		{"type", c.Type, like.Type},
	} {
		if field.got != field.want {
			errs = append(errs, fmt.Errorf("completion: %s is %q, and by its data it is %q", field.name, field.got, field.want))
		}
	}
	return errors.Join(errs...)
}

// Check reports what in doc breaks the rules of the schema. Formats count as rules.
func Check(rules, doc []byte) error {
	parsed, err := validator.UnmarshalJSON(bytes.NewReader(rules))
	if err != nil {
		return fmt.Errorf("parse schema: %w", err)
	}
	compiler := validator.NewCompiler()
	compiler.AssertFormat()
	const name = "urn:wagewire:schema:under-test"
	if err := compiler.AddResource(name, parsed); err != nil {
		return fmt.Errorf("add schema: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return fmt.Errorf("compile schema: %w", err)
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return fmt.Errorf("parse document: %w", err)
	}
	if err := compiled.Validate(value); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	return nil
}
