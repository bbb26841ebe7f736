package webhook

import "github.com/wagewire/wagewire/schema"

// truv is how Truv signs (docs.truv.com, webhooks): HMAC-SHA256 over the body alone. Truv signs no
// time, so the signature does not stop a replay; the event's id does.
var truv = scheme{
	secretsName: "access secrets",
	verify:      verifyTruv,
}

const (
	truvSignature = "X-Webhook-Sign"
	truvVersion   = "v1"
)

func verifyTruv(r Received, secrets []schema.Secret) error {
	digest, err := readDigest(r.Header, truvSignature, truvVersion)
	if err != nil {
		return err
	}
	if !isSignedByAny(secrets, digest, r.Body) {
		return errSignatureMismatch
	}
	return nil
}
