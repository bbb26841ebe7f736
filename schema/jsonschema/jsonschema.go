package jsonschema

import (
	"embed"
	"io/fs"

	"github.com/wagewire/wagewire/schema"
)

// FS holds the schemas of webhooks (<provider>.<type>.json) with their samples
// (samples/<provider>/<type>.json), of records (records/<provider>.<kind>.json) with their samples
// (records/samples), of completions (completion.v1.json), of states (account.v1.json), and of
// records in the normalised model (normal.v1.json).
//
//go:embed *.json samples records
var FS embed.FS

// Completions holds the schemas of the completions of each provider and resource
// (completions/<provider>.<resource>.v1.json). They repeat the schemas of records, and are not part
// of FS, so that a program that only validates does not carry them.
//
//go:embed completions
var Completions embed.FS

const (
	completion = "completion.v1.json"
	account    = "account.v1.json"
	normal     = "normal.v1.json"
)

// Webhook returns the schema of a webhook's body. It returns false if the type has no worker.
func Webhook(p schema.Provider, name string) ([]byte, bool) {
	return read(string(p) + "." + name + ".json")
}

// Sample returns a webhook's body with invented ids and values. It returns false if the type has no
// worker.
func Sample(p schema.Provider, name string) ([]byte, bool) {
	return read("samples/" + string(p) + "/" + name + ".json")
}

// Record returns the schema of a record. kind is one of Kinds. It returns false if there is none.
func Record(p schema.Provider, kind string) ([]byte, bool) {
	return read("records/" + string(p) + "." + kind + ".json")
}

// RecordSample returns a record with invented ids and values. kind is one of Kinds. It returns
// false if there is none.
func RecordSample(p schema.Provider, kind string) ([]byte, bool) {
	return read("records/samples/" + string(p) + "." + kind + ".json")
}

// Completion returns the schema of completions. Its id is schema.CompletionSchema. Validate
// completions with this schema: a record of a provider never breaks it.
func Completion() []byte {
	text, _ := read(completion) // an embedded file is always there
	return text
}

// CompletionOf returns the schema of completions with the types of the resource's records. Generate
// code from this schema. It returns false if the provider has no worker for the resource.
func CompletionOf(p schema.Provider, r schema.Resource) ([]byte, bool) {
	text, err := fs.ReadFile(Completions, "completions/"+string(p)+"."+string(r)+".v1.json")
	return text, err == nil
}

// Account returns the schema of the states of accounts. Its id is schema.AccountSchema.
func Account() []byte {
	text, _ := read(account) // an embedded file is always there
	return text
}

// Normal returns the schema of records in the normalised model, see package schema/normal.
func Normal() []byte {
	text, _ := read(normal) // an embedded file is always there
	return text
}

func read(name string) ([]byte, bool) {
	text, err := fs.ReadFile(FS, name)
	return text, err == nil
}
