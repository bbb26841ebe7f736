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
	secretsName: "API secrets",
	verify:      verifyPinwheel,
	signedAt:    pinwheelSignedAt,
}

const (
	pinwheelSignature = "X-Pinwheel-Signature"
	pinwheelTimestamp = "X-Timestamp"
	pinwheelVersion   = "v2"

	// timestampDigitsMax lasts for thirty thousand years and is far from overflow.
	timestampDigitsMax = 12
)

func verifyPinwheel(r Received, secrets []schema.Secret) error {
	digest, err := readDigest(r.Header, pinwheelSignature, pinwheelVersion)
	if err != nil {
		return err
	}
	if _, err := pinwheelSignedAt(r.Header); err != nil {
		return err
	}
	prefix := pinwheelVersion + ":" + r.Header.Get(pinwheelTimestamp) + ":"
	if !isSignedByAny(secrets, digest, []byte(prefix), r.Body) {
		return errSignatureMismatch
	}
	return nil
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
