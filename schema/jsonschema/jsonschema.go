package jsonschema

import (
	"embed"
	"io/fs"

	"github.com/wagewire/wagewire/schema"
)

// FS holds the schemas (<provider>.<type>.json, completion.v1.json, account.v1.json) and the
// samples (samples/<provider>/<type>.json).
//
//go:embed *.json samples
var FS embed.FS

const (
	completion = "completion.v1.json"
	account    = "account.v1.json"
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

// Completion returns the schema of completions. Its id is schema.CompletionSchema.
func Completion() []byte {
	text, _ := read(completion) // an embedded file is always there
	return text
}

// Account returns the schema of the states of accounts. Its id is schema.AccountSchema.
func Account() []byte {
	text, _ := read(account) // an embedded file is always there
	return text
}

func read(name string) ([]byte, bool) {
	text, err := fs.ReadFile(FS, name)
	return text, err == nil
}
