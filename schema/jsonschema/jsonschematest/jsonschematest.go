// Package jsonschematest checks webhooks, completions and accounts against their JSON Schemas, for
// the tests of every module. Only _test.go files and deploy import it.
package jsonschematest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

// Webhook fails the test if the body breaks the schema of the webhook type.
func Webhook(t testing.TB, p schema.Provider, name string, body []byte) {
	t.Helper()
	rules, ok := jsonschema.Webhook(p, name)
	if !ok {
		t.Fatalf("there is no schema of %s %s", p, name)
	}
	Validate(t, rules, body)
}

// Record fails the test if the record breaks the schema of its kind.
func Record(t testing.TB, p schema.Provider, kind string, record []byte) {
	t.Helper()
	rules, ok := jsonschema.Record(p, kind)
	if !ok {
		t.Fatalf("there is no schema of the record %s %s", p, kind)
	}
	Validate(t, rules, record)
}

// Completion fails the test if CheckCompletion finds a fault in doc.
func Completion(t testing.TB, doc []byte) {
	t.Helper()
	if err := CheckCompletion(doc); err != nil {
		t.Errorf("%v\nin %s", err, doc)
	}
}

// Account fails the test if CheckAccount finds a fault in doc.
func Account(t testing.TB, doc []byte) {
	t.Helper()
	if err := CheckAccount(doc); err != nil {
		t.Errorf("%v\nin %s", err, doc)
	}
}

// Validate fails the test if doc breaks the rules of the schema.
func Validate(t testing.TB, rules, doc []byte) {
	t.Helper()
	if err := Check(rules, doc); err != nil {
		t.Errorf("%v\nin %s", err, doc)
	}
}

// CheckCompletion returns the faults of a completion, by the schema of completions and by rules
// beyond any schema for what this release writes: doc has every field of schema.Completion and no
// other, the envelope agrees with the data, and the scope with the outcome.
func CheckCompletion(doc []byte) error {
	if err := Check(jsonschema.Completion(), doc); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.DisallowUnknownFields()
	var got schema.Completion
	if err := decoder.Decode(&got); err != nil {
		return fmt.Errorf("completion: %w", err)
	}
	e := schema.Event{
		Provider: got.Data.Provider, ID: got.Data.Event.ID, Type: got.Data.Event.Type,
		Redrive: schema.RedriveOf(got.ID),
	}
	if e.NamesEndUser() && got.Data.AccountID != nil {
		e.Of = *got.Data.AccountID
	}
	want := schema.NewCompletion(e, got.Data.Resource, got.Data.Outcome, got.Time)
	return errors.Join(
		checkFields(doc),
		checkScope(got.Data),
		compare("completion: redrive", got.Data.Redrive, e.Redrive),
		compare("completion: end of sequence",
			got.Sequence[strings.LastIndex(got.Sequence, "/")+1:], want.ID),
		compare("completion: id", got.ID, want.ID),
		compare("completion: source", got.Source, want.Source),
		compare("completion: type", got.Type, want.Type),
	)
}

// CheckAccount returns the faults of an account's state. It checks the schema of accounts and two
// rules beyond any schema: doc has no field unknown to schema.Account, and the envelope agrees with
// the data.
func CheckAccount(doc []byte) error {
	if err := Check(jsonschema.Account(), doc); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.DisallowUnknownFields()
	var got schema.Account
	if err := decoder.Decode(&got); err != nil {
		return fmt.Errorf("account: %w", err)
	}
	token := schema.Token(got.Data.AccountID)
	wantID := fmt.Sprintf("%s:%s:%s", got.Data.Provider, token,
		got.Time.UTC().Format(time.RFC3339Nano))
	wantType := got.Type
	if wantType != "wagewire.account.updated.v1" {
		wantType = fmt.Sprintf("wagewire.account.%s.v1", got.Data.Status)
	}
	return errors.Join(
		compare("account: subject", got.Subject, token),
		compare("account: id", got.ID, wantID),
		compare("account: type", got.Type, wantType),
	)
}

// checkFields returns an error unless doc has the fields that the schema does not require: the
// completions of the release before lack these fields.
func checkFields(doc []byte) error {
	var got struct {
		Sequence *string
		Data     map[string]json.RawMessage
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		return fmt.Errorf("completion: %w", err)
	}
	if got.Sequence == nil {
		return errors.New("completion: no sequence")
	}
	for _, field := range []string{"redrive", "scope", "from", "to"} {
		if _, ok := got.Data[field]; !ok {
			return fmt.Errorf("completion: no data.%s", field)
		}
	}
	return nil
}

// checkScope returns an error unless exactly a completion with fetched records has a scope, and
// exactly a window may have dates.
func checkScope(data schema.CompletionData) error {
	if (data.Scope != nil) != data.Outcome.HasRecords() {
		return fmt.Errorf("completion: outcome %s with scope %v", data.Outcome, data.Scope)
	}
	isWindow := data.Scope != nil && *data.Scope == schema.Window
	if !isWindow && (data.From != nil || data.To != nil) {
		return errors.New("completion: dates without a window")
	}
	return nil
}

// compare returns an error unless a field, named with its document, is as the data requires.
func compare[T comparable](field string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s is %v, but the data requires %v", field, got, want)
}

// Check returns an error if doc breaks the rules of the schema. Formats count as rules.
func Check(rules, doc []byte) error {
	compiled, err := Compile(rules)
	if err != nil {
		return err
	}
	return compiled.Check(doc)
}

// Schema is a compiled JSON Schema, for many documents.
type Schema struct{ compiled *validator.Schema }

// Compile compiles a schema.
func Compile(rules []byte) (*Schema, error) {
	parsed, err := validator.UnmarshalJSON(bytes.NewReader(rules))
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	compiler := validator.NewCompiler()
	compiler.AssertFormat()
	const name = "urn:wagewire:schema:under-test"
	if err := compiler.AddResource(name, parsed); err != nil {
		return nil, fmt.Errorf("add schema: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return &Schema{compiled}, nil
}

// Check returns an error if doc breaks the rules of the schema.
func (s *Schema) Check(doc []byte) error {
	value, err := validator.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return fmt.Errorf("parse document: %w", err)
	}
	if err := s.compiled.Validate(value); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	return nil
}
