// Package signature has how each provider signs its webhooks, and the published secret of each fake
// provider. It is apart from the fakes, so that a program that only signs does not carry them.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// Scheme is how a provider signs.
type Scheme struct {
	// Secret is the secret of the fake provider. It is published and protects nothing.
	Secret string
	// Sign sets the headers with a signature of the body and, at some providers, the time.
	Sign func(header http.Header, secret string, at time.Time, body []byte)
}

// Of returns the scheme of a provider. It returns false if there is none.
func Of(provider string) (Scheme, bool) {
	switch provider {
	case "pinwheel":
		return Pinwheel(), true
	case "truv":
		return Truv(), true
	default:
		return Scheme{}, false
	}
}

// Pinwheel sets x-timestamp and x-pinwheel-signature: HMAC-SHA256 over "v2:<timestamp>:<body>",
// with the API secret as key (docs.pinwheelapi.com, Webhook Signature Verification).
func Pinwheel() Scheme {
	return Scheme{
		Secret: "sandbox-pinwheel-secret",
		Sign: func(header http.Header, secret string, at time.Time, body []byte) {
			timestamp := strconv.FormatInt(at.Unix(), 10)
			digest := hmacHex(secret, []byte("v2:"+timestamp+":"), body)
			header.Set("x-timestamp", timestamp)
			header.Set("x-pinwheel-signature", "v2="+digest)
		},
	}
}

// Truv sets X-WEBHOOK-SIGN: HMAC-SHA256 over the body alone, with the access secret as key
// (docs.truv.com, Webhooks).
func Truv() Scheme {
	return Scheme{
		Secret: "sandbox-truv-secret",
		Sign: func(header http.Header, secret string, _ time.Time, body []byte) {
			header.Set("X-WEBHOOK-SIGN", "v1="+hmacHex(secret, body))
		},
	}
}

// hmacHex returns the HMAC-SHA256 of the parts in hexadecimal digits.
func hmacHex(secret string, parts ...[]byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	for _, part := range parts {
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
