package webhook

import (
	"net/http"

	"github.com/wagewire/wagewire/schema"
)

// truv is how Truv signs (docs.truv.com, webhooks): HMAC-SHA256 over the body alone. Truv signs no
// time, so the signature does not stop a replay; the event's id does.
var truv = scheme{
	secretsName:   "access secrets",
	readSignature: readTruvSignature,
	verify: func(claimed signature, secrets []schema.Secret, body []byte) bool {
		return isSignedByAny(secrets, claimed.digest, "", body)
	},
}

const (
	truvSignature = "X-Webhook-Sign"
	truvVersion   = "v1"
)

func readTruvSignature(h http.Header) (signature, error) {
	digest, err := readDigest(h, truvSignature, truvVersion)
	return signature{digest: digest}, err
}
