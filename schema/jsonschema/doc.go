// Package jsonschema holds the JSON Schema (draft 2020-12) of every webhook with a worker, a sample
// body of each such webhook, and the JSON Schemas of completions and of the states of accounts.
//
// A webhook's schema requires only the fields needed by Wagewire. It allows unknown fields, treats
// absent and null alike, and lists the documented values of an open enumeration in the description,
// because a provider may add fields and values without notice. No process refuses a webhook because
// of its schema: the schemas are for people, tests and code generators.
//
// The schemas of completions and accounts are strict about their own fields. They also allow
// further fields, because version 1 may grow.
//
// Each file is complete, so any tool can read it without a resolver. Definitions shared by the
// webhooks of one provider are written once, in shared/<provider>.json. A test copies them into the
// "$defs" of the schemas:
//
//	go test ./jsonschema -update
package jsonschema
