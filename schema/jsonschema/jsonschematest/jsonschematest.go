// Package jsonschematest checks webhooks, completions and accounts against their JSON Schemas, for
// the tests of every module. Only _test.go files and deploy import it.
package jsonschematest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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

// CheckCompletion returns the faults of a completion. It checks the schema of completions and two
// rules beyond any schema: doc has no field unknown to schema.Completion, and the envelope agrees
// with the data.
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
		Provider: got.Data.Provider, ID: got.Data.Event.ID, Redrive: redriveOf(got.ID),
	}
	want := schema.NewCompletion(e, got.Data.Resource, got.Data.Outcome, got.Time)
	return errors.Join(
		compare("id", got.ID, want.ID),
		compare("source", got.Source, want.Source),
		compare("type", got.Type, want.Type),
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
		compareAccount("subject", got.Subject, token),
		compareAccount("id", got.ID, wantID),
		compareAccount("type", got.Type, wantType),
	)
}

func compareAccount(field, got, want string) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("account: %s is %q, but the data requires %q", field, got, want)
}

// redriveOf returns the number of the redrive in a completion's id, or 0 if the id has none.
func redriveOf(id string) int {
	parts := strings.Split(id, ":")
	if len(parts) != 4 {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimPrefix(parts[2], "r"))
	if err != nil {
		return 0
	}
	return n
}

func compare(field, got, want string) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("completion: %s is %q, but the data requires %q", field, got, want)
}

// Check returns an error if doc breaks the rules of the schema. Formats count as rules.
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
