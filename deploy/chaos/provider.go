package chaos

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers/fetch"
)

// provider is the harness's knowledge of a provider.
type provider struct {
	// ratePerS is the rate of the installation, all processes together.
	ratePerS int
	// called returns the account and the resource in a path of the API. path is the part after
	// /<provider>/v1/, split at slashes, with empty parts at the end.
	called func(path []string) (account, resource string)
	// recordsIn returns the records of an answer, in the form that a completion must have.
	recordsIn func(body []byte) ([]json.RawMessage, bool)
	// refreshedAt returns the age that an answer gives its data, zero if the answer gives none.
	refreshedAt func(body []byte) time.Time
	// announced reads the outcome, the ids and the dates of a webhook.
	announced func(body []byte, w *webhook)
}

// providers has a row for each provider of package schema.
var providers = map[schema.Provider]provider{
	schema.Pinwheel: {
		ratePerS: 100,
		// accounts/{account}/{resource}…, end_users/{account}/verification_reports/…
		called:      func(path []string) (account, resource string) { return path[1], path[2] },
		recordsIn:   pinwheelRecords,
		refreshedAt: pinwheelRefreshedAt,
		announced:   pinwheelAnnounced,
	},
	schema.Truv: {
		ratePerS: 10,
		// links/{account}/
		called: func(path []string) (account, resource string) {
			return path[1], string(schema.Link)
		},
		recordsIn:   truvRecords,
		refreshedAt: func([]byte) time.Time { return time.Time{} },
		announced:   func([]byte, *webhook) {},
	},
}

// environmentOf returns a provider's variables for ingress or a worker.
func environmentOf(p schema.Provider, apiURL, secretFile string) []string {
	env := []string{
		p.Variable("SECRETS_FILE") + "=" + secretFile,
		fetch.SecretVariable(p) + "=" + secretFile,
	}
	variables := fake.Environment(string(p), apiURL)
	variables["RATE_PER_S"] = strconv.Itoa(providers[p].ratePerS) // the fake has another rate
	for name, value := range variables {
		env = append(env, p.Variable(name)+"="+value)
	}
	return env
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
func pinwheelAnnounced(body []byte, w *webhook) {
	type items []struct {
		ID string `json:"id"`
	}
	var in struct {
		Payload struct {
			Outcome string `json:"outcome"`
			Added   items  `json:"added"`
			Deleted items  `json:"deleted"`
			Params  struct {
				From string `json:"from_pay_date"`
				To   string `json:"to_pay_date"`
			} `json:"params"`
		} `json:"payload"`
	}
	if json.Unmarshal(body, &in) != nil {
		return
	}
	if in.Payload.Outcome != "success" {
		w.outcome = in.Payload.Outcome
	}
	for _, item := range in.Payload.Added {
		w.added = append(w.added, item.ID)
	}
	for _, item := range in.Payload.Deleted {
		w.deleted = append(w.deleted, item.ID)
	}
	w.from = in.Payload.Params.From
	w.to = in.Payload.Params.To
}
