// Package jsonschema holds the JSON Schema (draft 2020-12) of every webhook body that a worker reads and of every completion,
// and a sample body of each such webhook.
//
// A webhook's schema requires only what Wagewire cannot do without. It takes fields it does not know, reads absent and null
// alike, and names the documented values of an open enumeration in its description: a provider may add to all of these without
// notice. No webhook is refused for its schema; the schemas are for people, for tests and for code generators.
//
// The completion's schema is ours, and strict about what it names. It takes further fields, for version 1 may grow.
//
// Each file is complete in itself, so that any tool can read it without a resolver. What the webhooks of one provider share is
// written once, in shared/<provider>.json, and a test copies it into the "$defs" of those that use it:
//
//	go test ./jsonschema -update
package jsonschema
