package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// pinwheel is how Pinwheel signs (docs.pinwheelapi.com/public/docs/webhook-signature-verification):
// HMAC-SHA256 over "v2:" + the text of the timestamp header + ":" + the body. The retired v1 signed
// something else and is refused.
var pinwheel = scheme{
	secretsName:   "API secrets",
	signsTime:     true,
	readSignature: readPinwheelSignature,
	verify: func(claimed signature, secrets []schema.Secret, body []byte) bool {
		before := pinwheelVersion + ":" + claimed.stamp + ":"
		return isSignedByAny(secrets, claimed.digest, before, body)
	},
}

const (
	pinwheelSignature = "X-Pinwheel-Signature"
	pinwheelTimestamp = "X-Timestamp"
	pinwheelVersion   = "v2"

	// timestampDigitsMax is the longest number that an int64 always holds. A timestamp in
	// milliseconds or microseconds is a time in the far future.
	timestampDigitsMax = 18
)

func readPinwheelSignature(h http.Header) (signature, error) {
	digest, err := readDigest(h, pinwheelSignature, pinwheelVersion)
	if err != nil {
		return signature{}, err
	}
	at, err := pinwheelSignedAt(h)
	if err != nil {
		return signature{}, err
	}
	return signature{at: at, stamp: h.Get(pinwheelTimestamp), digest: digest}, nil
}

// pinwheelSignedAt reads the timestamp header. A request may have no second one.
func pinwheelSignedAt(h http.Header) (time.Time, error) {
	values := h.Values(pinwheelTimestamp)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return time.Time{}, errTimestampMissing
	case len(values) > 1:
		return time.Time{}, errTimestampAmbiguous
	}
	text := values[0]
	if len(text) > timestampDigitsMax || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, errTimestampMalformed
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errTimestampMalformed
	}
	return time.Unix(seconds, 0), nil
}
