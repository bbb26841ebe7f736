package fake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// SignPinwheel returns the x-pinwheel-signature of a body that is sent with
// x-timestamp: HMAC-SHA256 over "v2:<timestamp>:<body>", keyed with the API
// secret (docs.pinwheelapi.com, Webhook Signature Verification).
func SignPinwheel(secret string, timestamp int64, body []byte) string {
	return "v2=" + digest(secret, []byte("v2:"+strconv.FormatInt(timestamp, 10)+":"), body)
}

// SignTruv returns the X-WEBHOOK-SIGN of a body: HMAC-SHA256 over the body
// alone, keyed with the access secret (docs.truv.com, Webhooks).
func SignTruv(secret string, body []byte) string {
	return "v1=" + digest(secret, body)
}

func digest(secret string, parts ...[]byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	for _, part := range parts {
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
