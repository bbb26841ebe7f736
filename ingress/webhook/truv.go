package webhook

import "net/http"

// truv is how Truv signs (docs.truv.com, webhooks): HMAC-SHA256 over the body alone. Truv signs no
// time, so the signature does not stop a replay; the event's id does.
var truv = scheme{
	secretsName:   "access secrets",
	readSignature: readTruvSignature,
	signedBefore:  func(signature) string { return "" },
}

const (
	truvSignature = "X-Webhook-Sign"
	truvVersion   = "v1"
)

func readTruvSignature(h http.Header) (signature, error) {
	claimed, err := readDigest(h, truvSignature, truvVersion)
	return signature{digest: claimed}, err
}
