package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// provider is the ledger's knowledge of a provider. It shares no code with the provider's client.
type provider struct {
	// called returns the account and the resource in a path of the API. path is the part after
	// /<provider>/v1/, split at slashes, with empty parts at the end.
	called func(path []string) (account, resource string)
	// recordsIn returns the records of an answer, in the form that a completion must have.
	recordsIn func(body []byte) ([]json.RawMessage, bool)
	// refreshedAt returns the age that an answer gives its data, zero if the answer gives none.
	refreshedAt func(body []byte) time.Time
	// announced reads the outcome, the ids and the dates of a webhook.
	announced func(body []byte, w *Webhook)
}

// providers has a row for each provider of package schema.
var providers = map[schema.Provider]provider{
	schema.Pinwheel: {
		called:      pinwheelCalled,
		recordsIn:   pinwheelRecords,
		refreshedAt: pinwheelRefreshedAt,
		announced:   pinwheelAnnounced,
	},
	schema.Truv: {
		// links/{account}/
		called: func(path []string) (account, resource string) {
			return path[1], string(schema.Link)
		},
		recordsIn:   truvRecords,
		refreshedAt: func([]byte) time.Time { return time.Time{} },
		announced:   func([]byte, *Webhook) {},
	},
}

// pinwheelCalled reads accounts/{account}/{resource}… and end_users/{person}/…. Everything about a
// person is asked for the verification reports. The account itself is the record of its link.
func pinwheelCalled(path []string) (account, resource string) {
	if path[0] == "end_users" {
		return path[1], string(schema.VerificationReports)
	}
	if path[0] == "accounts" && path[2] == "" {
		return path[1], string(schema.Link)
	}
	return path[1], path[2]
}

// pinwheelRecords returns the member data, an object or an array of objects.
func pinwheelRecords(body []byte) ([]json.RawMessage, bool) {
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &envelope) != nil || len(envelope.Data) == 0 {
		return nil, false
	}
	if envelope.Data[0] != '[' {
		return []json.RawMessage{compact(envelope.Data)}, true
	}
	var records []json.RawMessage
	if json.Unmarshal(envelope.Data, &records) != nil {
		return nil, false
	}
	for i := range records {
		records[i] = compact(records[i])
	}
	return records, true
}

// pinwheelRefreshedAt returns the member refreshed_at of the meta, or of a report.
func pinwheelRefreshedAt(body []byte) time.Time {
	type dated struct {
		RefreshedAt time.Time `json:"refreshed_at"`
	}
	var answer struct {
		Meta dated `json:"meta"`
	}
	var report struct {
		Data dated `json:"data"`
	}
	_ = json.Unmarshal(body, &answer)
	_ = json.Unmarshal(body, &report) // fails if data is a list, which has its time in the meta
	if answer.Meta.RefreshedAt.IsZero() {
		return report.Data.RefreshedAt
	}
	return answer.Meta.RefreshedAt
}

// truvRecords returns the link without its access token.
func truvRecords(body []byte) ([]json.RawMessage, bool) {
	link, ok := without(body, "access_token")
	return []json.RawMessage{link}, ok
}

// pinwheelAnnounced reads the payload. An unreadable body announces nothing.
func pinwheelAnnounced(body []byte, w *Webhook) {
	type items []struct {
		ID string `json:"id"`
	}
	var whole struct {
		Payload json.RawMessage `json:"payload"`
	}
	if json.Unmarshal(body, &whole) != nil {
		return
	}
	w.payload = sha256.Sum256(compact(whole.Payload))
	var in struct {
		Outcome string `json:"outcome"`
		Added   items  `json:"added"`
		Deleted items  `json:"deleted"`
		Params  struct {
			From string `json:"from_pay_date"`
			To   string `json:"to_pay_date"`
		} `json:"params"`
	}
	if json.Unmarshal(whole.Payload, &in) != nil {
		return
	}
	if in.Outcome != "success" {
		w.Outcome = in.Outcome
	}
	for _, item := range in.Added {
		w.Added = append(w.Added, item.ID)
	}
	for _, item := range in.Deleted {
		w.Deleted = append(w.Deleted, item.ID)
	}
	w.From = in.Params.From
	w.To = in.Params.To
}

// without returns the object without a member, compact and with the other members in order.
func without(object []byte, name string) (json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	b := []byte{'{'}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		if key == name {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		quoted, _ := json.Marshal(key) // a key is a string
		b = append(b, quoted...)
		b = append(b, ':')
		b = append(b, compact(value)...)
	}
	_, err := d.Token()
	return append(b, '}'), err == nil
}

func compact(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}
