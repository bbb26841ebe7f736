// Package jsonschema holds the JSON Schema (draft 2020-12) of every webhook with a worker, of every
// record that completions carry, of completions, of the states of accounts and of records in the
// normalised model. It has a sample of each webhook and record. It also finds drift: differences
// between a record and the provider's reference.
//
// A webhook's schema requires only the fields needed by Wagewire. It allows unknown fields, treats
// absent and null alike, and lists the documented values of an open enumeration in the description,
// because a provider may add fields and values without notice. No process refuses a webhook because
// of its schema: the schemas are for people, tests and code generators.
//
// The schemas of completions and accounts are strict about their own fields. They also allow
// further fields, because version 1 may grow.
//
// A record's schema, records/<provider>.<kind>.json, has the fields that the provider documents,
// with their units. It requires only the id. The record of a notice is the payload of a webhook,
// which need not have an id of its own: its schema requires only account_id. A bank account of
// Truv's has no id: its schema requires only account_number. Every other field may be null or
// absent, and further fields are allowed. The keyword "examples" lists every documented value of an
// open enumeration, and nothing else, because the search for drift reads the keyword. There is no
// "format": providers spell times in several ways.
//
// normal.v1.json is the schema of the values of package schema/normal. The vectors of that package
// are its samples. The keyword "examples" lists the kinds of a word, which may get more.
//
// completions/<provider>.<resource>.v1.json is the schema of completions with typed records,
// generated from completion.v1.json and the schemas of records. Generate code from it, and validate
// with completion.v1.json: a record that drifts never makes a completion invalid there. typescript/
// generates TypeScript from all schemas and compiles a program with the types.
//
// The kits of ../clients have generated types, too: types.ts and types.py. They keep the digits of
// numbers, which most code generators turn into floats.
//
// Each file is complete, so any tool can read it without a resolver. Definitions shared by the
// webhooks of one provider are written once, in shared/<provider>.json, and those shared by its
// records in shared/records.<provider>.json. A test copies them into the "$defs" of the schemas,
// and generates the typed completions and the types of the kits:
//
//	go test ./jsonschema -update
package jsonschema
