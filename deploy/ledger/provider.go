package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// provider is the ledger's knowledge of a provider. It shares no code with the provider's client.
type provider struct {
	// called returns the account and the resource in a path of the API. path is the part after
	// /<provider>/v1/, split at slashes, with empty parts at the end.
	called func(path []string) (account, resource string)
	// recordsIn returns the records of an answer about a resource, in the form that a completion
	// must have.
	recordsIn func(resource string, body []byte) ([]json.RawMessage, bool)
	// refreshedAt returns the age that an answer gives its data, zero if the answer gives none.
	refreshedAt func(body []byte) time.Time
	// announced reads the outcome, the ids, the count and the dates of a webhook.
	announced func(body []byte, w *Webhook)
	// asks are the resources that the worker of a resource asks for, if not for its own alone. The
	// first has the records, and its answers alone decide about the end of an event.
	asks map[schema.Resource][]schema.Resource
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
		called:      truvCalled,
		recordsIn:   truvRecords,
		refreshedAt: func([]byte) time.Time { return time.Time{} },
		announced:   truvAnnounced,
		asks: map[schema.Resource][]schema.Resource{
			schema.Income: {schema.Employment},
			// No report has the shifts. One call asks whether there are any, and a bad answer to it
			// costs nothing but the word of them.
			schema.VerificationReports: {schema.VerificationReports, schema.Shifts},
		},
	},
}

// TargetsOf returns what the worker of a resource asks for about an event of the account. The first
// has the records, and its answers alone decide about the end of the event. Refused credentials are
// refused for all.
func TargetsOf(p schema.Provider, account string, r schema.Resource) []Target {
	asked, ok := providers[p].asks[r]
	if !ok {
		asked = []schema.Resource{r}
	}
	var targets []Target
	for _, r := range asked {
		targets = append(targets, Target{account, string(r)})
	}
	return targets
}

// pinwheelCalled reads accounts/{account}/{resource}… and end_users/{person}/…. Everything about a
// person is asked for the verification reports. The account itself is the record of its link.
func pinwheelCalled(path []string) (account, resource string) {
	if path[0] == "end_users" {
		return path[1], string(schema.VerificationReports)
	}
	switch {
	case path[0] == "accounts" && path[2] == "":
		return path[1], string(schema.Link)
	case path[2] == "direct_deposit_allocations":
		return path[1], string(schema.BankAccounts)
	default:
		return path[1], path[2]
	}
}

// truvCalled reads links/{account}/{data}/ and links/{account}/{product}/report/. The link itself
// is the record of its link.
func truvCalled(path []string) (account, resource string) {
	switch {
	case path[2] == "":
		return path[1], string(schema.Link)
	case path[3] == "report":
		return path[1], string(schema.VerificationReports)
	case path[2] == "employments":
		return path[1], string(schema.Employment)
	case path[2] == "statements":
		return path[1], string(schema.Paystubs)
	default: // identity, shifts, bank_accounts
		return path[1], path[2]
	}
}

// pinwheelRecords returns the member data, an object or an array of objects.
func pinwheelRecords(_ string, body []byte) ([]json.RawMessage, bool) {
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

// truvRecords returns the records of a list, of a page, or the single object. No record has an
// access token, and only the bank accounts themselves have bank accounts.
func truvRecords(resource string, body []byte) ([]json.RawMessage, bool) {
	hidden := []string{"access_token"}
	if resource != string(schema.BankAccounts) {
		hidden = append(hidden, "bank_accounts")
	}
	answer, ok := without(body, hidden...)
	if !ok {
		return nil, false
	}
	if answer[0] == '[' {
		return elementsOf(answer)
	}
	var page struct {
		Results json.RawMessage `json:"results"`
	}
	if json.Unmarshal(answer, &page) == nil && len(page.Results) > 0 {
		return elementsOf(page.Results)
	}
	return []json.RawMessage{answer}, true
}

func elementsOf(list json.RawMessage) (elements []json.RawMessage, ok bool) {
	err := json.Unmarshal(list, &elements)
	return elements, err == nil
}

// truvAnnounced reads a webhook of data or of a task. An unreadable body announces nothing. A task
// without a product counts as one of the income, and the case of a product says nothing.
func truvAnnounced(body []byte, w *Webhook) {
	var in struct {
		Status       string `json:"status"`
		Product      string `json:"product"`
		ObjectID     string `json:"object_id"`
		EmploymentID string `json:"employment_id"`
		ObjectsCount int    `json:"objects_count"`
	}
	if json.Unmarshal(body, &in) != nil {
		return
	}
	w.ObjectID = in.ObjectID
	w.EmploymentID = in.EmploymentID
	w.Count = in.ObjectsCount
	w.Product = strings.ToLower(cmp.Or(in.Product, "income"))
	if w.Type == "task-status-updated" {
		w.Outcome = truvTaskOutcome(in.Status, w.Product)
	}
}

// truvTaskOutcome returns Truv's word about a task (docs.truv.com, Task lifecycle), or "" if there
// is a report to get.
func truvTaskOutcome(status, product string) string {
	hasReport := product == "income" || product == "employment"
	switch status {
	case "login_error", "mfa_error", "config_error", "account_locked", "unable_to_reset",
		"unavailable", "error":
		if hasReport {
			return "error"
		}
		return "unavailable"
	case "no_data", "not_supported":
		return "unavailable"
	case "done":
		if hasReport {
			return ""
		}
		return "unavailable"
	default:
		return "pending"
	}
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

// without returns the document without the members of these names at any depth, compact and with
// the other members in order.
func without(document []byte, names ...string) (json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(document))
	open, err := d.Token()
	isObject := open == json.Delim('{')
	if err != nil {
		return nil, false
	}
	if !isObject && open != json.Delim('[') {
		return compact(document), json.Valid(document)
	}
	b := compact(document)[:1:1]
	for d.More() {
		key := ""
		if isObject {
			name, err := d.Token()
			if err != nil {
				return nil, false
			}
			key = name.(string) // the decoder checks it
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		if isObject && slices.Contains(names, key) {
			continue
		}
		rest, ok := without(value, names...)
		if !ok {
			return nil, false
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		if isObject {
			quoted, _ := json.Marshal(key) // a key is a string
			b = append(b, quoted...)
			b = append(b, ':')
		}
		b = append(b, rest...)
	}
	end, err := d.Token()
	if err != nil {
		return nil, false
	}
	return append(b, end.(json.Delim).String()...), true
}

func compact(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}
