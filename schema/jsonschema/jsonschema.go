package jsonschema

import (
	"embed"
	"io/fs"

	"github.com/wagewire/wagewire/schema"
)

// FS holds the schemas, <provider>.<type>.json and completion.v1.json, and the samples, samples/<provider>/<type>.json.
//
//go:embed *.json samples
var FS embed.FS

const completion = "completion.v1.json"

// Webhook returns the schema of a webhook's body, or false where no worker reads webhooks of that type.
func Webhook(p schema.Provider, name string) ([]byte, bool) {
	return read(string(p) + "." + name + ".json")
}

// Sample returns a body of a webhook with made-up ids and values, or false where no worker reads webhooks of that type.
func Sample(p schema.Provider, name string) ([]byte, bool) {
	return read("samples/" + string(p) + "/" + name + ".json")
}

// Completion returns the schema of every completion, schema.CompletionSchema.
func Completion() []byte {
	text, _ := read(completion) // it is embedded: there is no other answer
	return text
}

func read(name string) ([]byte, bool) {
	text, err := fs.ReadFile(FS, name)
	return text, err == nil
}
