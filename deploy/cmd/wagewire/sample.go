package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
)

// overrides are what a sample is made to say in place of its own words. An empty one leaves them.
type overrides struct{ id, account, endUser, outcome string }

// How the providers write a time.
const (
	pinwheelTime = "2006-01-02T15:04:05.000000-07:00"
	truvTime     = "2006-01-02T15:04:05.000000Z07:00"
)

// Paths in a body. All else that a webhook says is the catalogue's to know.
const (
	endUserPath = "payload.end_user_id"
	outcomePath = "payload.outcome"
)

// sample returns a webhook of the type as if it had just happened: its id and its times are its own.
func sample(w schema.WebhookType, o overrides, now time.Time) ([]byte, error) {
	body, ok := jsonschema.Sample(w.Provider, w.Name)
	if !ok {
		return nil, wrongUsage("there is no sample of %s, which is stored and not worked on: send a file with --provider %s", w.Name, w.Provider)
	}
	edits, err := editsOf(w, o, now)
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		if body, err = replace(body, strings.Split(e.path, "."), e.value); err != nil {
			return nil, fmt.Errorf("edit the sample of %s: %w", w.Name, err)
		}
	}
	return body, nil
}

func hasSample(w schema.WebhookType) bool {
	_, ok := jsonschema.Sample(w.Provider, w.Name)
	return ok
}

// edit puts a value where there is one at the path.
type edit struct{ path, value string }

func editsOf(w schema.WebhookType, o overrides, now time.Time) ([]edit, error) {
	edits := timesOf(w.Provider, now)
	if w.Provider == schema.Truv {
		edits = append(edits, edit{"webhook_id", orNew(o.id, newHex)})
	} else {
		edits = append(edits, edit{"event_id", orNew(o.id, newUUID)})
	}
	if o.account != "" {
		if w.Account == endUserPath {
			return nil, wrongUsage("%s is about a person: use --end-user", w.Name)
		}
		edits = append(edits, edit{w.Account, o.account})
	}
	if o.endUser != "" {
		if w.Provider != schema.Pinwheel {
			return nil, wrongUsage("--end-user: the webhooks of %s name no end user", w.Provider)
		}
		edits = append(edits, edit{endUserPath, o.endUser})
	}
	if o.outcome == "" {
		return edits, nil
	}
	outcomes := []string{"success", "pending", "error"}
	switch {
	case w.Provider != schema.Pinwheel || w.Account == endUserPath:
		return nil, wrongUsage("--outcome: %s has none", w.Name)
	case !slices.Contains(outcomes, o.outcome):
		return nil, wrongUsage("--outcome: %q is none of %s", o.outcome, join(outcomes))
	}
	edits = append(edits, edit{outcomePath, o.outcome})
	if o.outcome == "error" {
		// The commonest of the codes that Pinwheel lists.
		edits = append(edits, edit{"payload.error_code", "systemError"}, edit{"payload.error_type", "systemError"})
	}
	return edits, nil
}

func timesOf(p schema.Provider, now time.Time) []edit {
	now = now.UTC()
	if p == schema.Truv {
		return []edit{{"event_created_at", now.Format(truvTime)}, {"updated_at", now.Format(pinwheelTime)}}
	}
	text := now.Format(pinwheelTime)
	return []edit{
		{"payload.timestamp", text},
		{"payload.availability.voe.updated_at", text}, {"payload.availability.voe.refreshed_at", text},
	}
}

// replace sets the string at the path of a JSON object. What is not there stays so; numbers keep every digit.
func replace(body []byte, path []string, value string) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, fmt.Errorf("%s: %w", path[0], err)
	}
	old, ok := object[path[0]]
	if !ok {
		return body, nil
	}
	var text json.RawMessage
	var err error
	if len(path) > 1 {
		text, err = replace(old, path[1:], value)
	} else {
		text, err = json.Marshal(value)
	}
	if err != nil {
		return nil, err
	}
	object[path[0]] = text
	return json.Marshal(object)
}

func orNew(id string, fresh func() string) string {
	if id == "" {
		return fresh()
	}
	return id
}

// newUUID is a random one, version 4, as Pinwheel's ids are.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newHex is 32 hexadecimal digits, as Truv's ids are.
func newHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
