package fake

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Acme is the name of the fake of a provider that exists only in tests.
const Acme = "acme"

// acmePageMax is how many records Acme puts on a page.
const acmePageMax = 2

var acme = provider{
	name:        Acme,
	secret:      "acme-signing-key-of-the-fake",
	environment: map[string]string{"RATE_PER_S": "100"},

	spells: func(webhookType string) bool { return !strings.ContainsAny(webhookType, ".-") },
	open: func(p *Person, id string, made ids) {
		p.accounts[Acme] = cmp.Or(id, made.hex())
	},
	ids:     func(p *Person) object { return object{{"acme_ref", p.accounts[Acme]}} },
	idPath:  []string{"meta", "delivery"},
	newID:   newHex,
	webhook: acmeWebhook,
	timeline: func(p *Person) []moment {
		var moments []moment
		for _, webhookType := range []string{"EMPLOYMENT_READY", "PAY_READY"} {
			moments = append(moments, func(at time.Time) []Webhook {
				return []Webhook{acmeWebhook(p, webhookType, EventOptions{}, at)}
			})
		}
		return moments
	},

	sign: func(header http.Header, secret string, at time.Time, body []byte) {
		sent := strconv.FormatInt(at.Unix(), 10)
		mac := hmac.New(sha512.New, []byte(secret))
		mac.Write(append(body[:len(body):len(body)], sent...))
		digest := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		header.Set("Acme-Signature", "t="+sent+",s="+digest)
	},
	describe: func(header http.Header, _ string) { header.Set("User-Agent", "acme") },
	redelivery: redelivery{
		repeats: func(status int) bool { return status != http.StatusOK }, repeatsMax: 1,
		wait: time.Second, growth: 1, answerFor: time.Minute,
	},

	endpoints: func(*Providers) []endpoint {
		return []endpoint{
			{name: "acme-employment", path: "/v2/people/{ref}/employment", serve: acmeEmployment},
			{name: "acme-pay", path: "/v2/people/{ref}/pay", serve: acmePay},
		}
	},
	refuse: func(secret string, r *http.Request) (reply, bool) {
		wrong := r.Header.Get("Authorization") != "Bearer "+secret
		return acmeFail(http.StatusUnauthorized, ""), wrong
	},
	fail: acmeFail,
}

func acmeWebhook(p *Person, webhookType string, opts EventOptions, at time.Time) Webhook {
	id := cmp.Or(opts.ID, newHex())
	ref := p.accounts[Acme].(string)
	body := object{
		{"meta", object{
			{"delivery", id},
			{"kind", webhookType},
			{"sent", at.UTC().Format(time.RFC3339Nano)},
		}},
		{"person", object{{"ref", ref}}},
	}
	return Webhook{Provider: Acme, ID: id, Type: webhookType, Account: ref, Body: encode(body)}
}

func acmeEmployment(r *http.Request, _ fired) reply {
	body := object{{"ref", r.PathValue("ref")}, {"employer", "Acme & Sons"}}
	return reply{status: http.StatusOK, body: encode(body)}
}

// acmePay has five records. A page begins at an offset, and says how many records there are in all.
func acmePay(r *http.Request, _ fired) reply {
	const total = 5
	offset, err := strconv.Atoi(r.URL.Query().Get("offset"))
	if err != nil || offset < 0 || offset >= total {
		return acmeFail(http.StatusBadRequest, "")
	}
	var items []object
	for n := offset; n < min(offset+acmePageMax, total); n++ {
		net := decimal("9007199254740993.10")
		items = append(items, object{{"pay", fmt.Sprint(n)}, {"net", net}})
	}
	return reply{status: http.StatusOK, body: encode(object{{"items", items}, {"total", total}})}
}

func acmeFail(status int, _ string) reply {
	return reply{status: status, body: encode(object{{"problem", http.StatusText(status)}})}
}
