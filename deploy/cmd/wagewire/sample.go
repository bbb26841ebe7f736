package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// overrides are values of the command line for a sample. An empty value leaves the sample's own.
type overrides struct{ id, account, endUser, outcome string }

// Paths of values that some samples have, beside the paths in the provider's Layout.
const (
	endUserPath = "payload.end_user_id"
	outcomePath = "payload.outcome"
)

// edit sets a string in a sample if the sample has a value at the path.
type edit struct{ path, value string }

// newSample returns a webhook of the type that happens now and has an id of its own.
func newSample(w schema.WebhookType, o overrides, now time.Time) ([]byte, error) {
	body, ok := jsonschema.Sample(w.Provider, w.Name)
	if !ok {
		return nil, command.UsageError("there is no sample of %s, "+
			"which is stored and not worked on: send a file with --provider %s", w.Name, w.Provider)
	}
	edits, err := o.edits(w, body)
	if err != nil {
		return nil, err
	}
	for _, e := range append(edits, timeEdits(w.Provider, body, now)...) {
		if body, err = e.apply(body); err != nil {
			return nil, fmt.Errorf("edit the sample of %s: %w", w.Name, err)
		}
	}
	return body, nil
}

func hasSample(w schema.WebhookType) bool {
	_, ok := jsonschema.Sample(w.Provider, w.Name)
	return ok
}

// hasOutcome reports whether a webhook of the type says how a job of the provider ended.
func hasOutcome(w schema.WebhookType) bool {
	body, ok := jsonschema.Sample(w.Provider, w.Name)
	return ok && has(body, outcomePath)
}

// apply keeps every other byte of the body, such as the digits of numbers.
func (e edit) apply(body []byte) ([]byte, error) {
	begin, end, ok := locate(body, e.path)
	if !ok {
		return body, nil
	}
	value, err := json.Marshal(e.value)
	if err != nil {
		return nil, err
	}
	return slices.Concat(body[:begin], value, body[end:]), nil
}

// locate returns where the value at a path of members begins and ends, such as payload.account_id.
// It returns false if the body has no such member.
func locate(body []byte, path string) (begin, end int, ok bool) {
	r := rawjson.NewReader(body)
	for member := range strings.SplitSeq(path, ".") {
		ok = false
		for name := range r.Members() {
			if string(name) == member {
				ok = true
				break // the value of the member is next
			}
		}
		if !ok {
			return 0, 0, false
		}
	}
	begin = r.Offset()
	return begin, begin + len(r.Value()), true
}

func has(body []byte, path string) bool {
	_, _, ok := locate(body, path)
	return ok
}

// textAt returns the string at a path of members, and "" if the body has none there.
func textAt(body []byte, path string) string {
	begin, end, _ := locate(body, path)
	var text string
	rawjson.ReadText(body[begin:end], &text)
	return text
}

// edits give the sample a new id and the overrides. An override without a place in the sample is a
// usage error.
func (o overrides) edits(w schema.WebhookType, body []byte) ([]edit, error) {
	idPath := w.Provider.Layout().ID
	id := o.id
	if id == "" {
		id = newID(textAt(body, idPath))
	}
	edits := []edit{{idPath, id}}
	endUser := endUserPath
	if w.NamesEndUser {
		endUser = w.Account
		if o.account != "" {
			return nil, command.UsageError("%s is about a person: use --end-user", w.Name)
		}
	}
	for _, override := range []struct {
		flag string
		edit
	}{
		{"--account", edit{w.Account, o.account}},
		{"--end-user", edit{endUser, o.endUser}},
		{"--outcome", edit{outcomePath, o.outcome}},
	} {
		if override.value == "" {
			continue
		}
		if !has(body, override.path) {
			return nil, command.UsageError("%s: %s has no %s", override.flag, w.Name, override.path)
		}
		edits = append(edits, override.edit)
	}
	if o.outcome == outcomeError {
		const code = "systemError" // the most common of the codes that Pinwheel documents
		edits = append(edits, edit{"payload.error_code", code}, edit{"payload.error_type", code})
	}
	return edits, nil
}

const outcomeError = "error"

// outcomes are the outcomes of a job of a provider.
func outcomes() []string { return []string{"success", "pending", outcomeError} }

// timeEdits set each time of the sample to now. UTC is written as in the sample: as Z or as +00:00.
func timeEdits(p schema.Provider, body []byte, now time.Time) []edit {
	// The times of webhooks about reports and accounts.
	const voe = "payload.availability.voe."
	others := []string{voe + "updated_at", voe + "refreshed_at", "payload.created_at"}
	var edits []edit
	for _, path := range slices.Concat(p.Layout().Times, others) {
		format := "2006-01-02T15:04:05.000000-07:00"
		if strings.HasSuffix(textAt(body, path), "Z") {
			format = "2006-01-02T15:04:05.000000Z07:00"
		}
		edits = append(edits, edit{path, now.UTC().Format(format)})
	}
	return edits
}

// newID is a random UUID, without hyphens if the sample's id has none.
func newID(like string) string {
	id := uuid.NewString()
	if !strings.Contains(like, "-") {
		id = strings.ReplaceAll(id, "-", "")
	}
	return id
}
