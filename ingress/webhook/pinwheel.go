package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// How Pinwheel signs (docs.pinwheelapi.com/public/docs/webhook-signature-verification): HMAC-SHA256 over
// "v2:" + the timestamp header's text + ":" + the body. The retired v1 signed something else and is refused.
const (
	pinwheelSignature = "X-Pinwheel-Signature"
	pinwheelTimestamp = "X-Timestamp"
	pinwheelVersion   = "v2"

	// timestampDigitsMax lasts for thirty thousand years and is far from overflow.
	timestampDigitsMax = 12
)

func verifyPinwheel(r Received, secrets []schema.Secret, ageMax time.Duration) error {
	sum, err := digest(r.Header, pinwheelSignature, pinwheelVersion)
	if err != nil {
		return err
	}
	text, at, err := timestamp(r.Header)
	if err != nil {
		return err
	}
	if !signedByAny(secrets, sum, []byte(pinwheelVersion+":"+text+":"), r.Body) {
		return errSignatureMismatch
	}
	// Age comes last: "stale" in the metrics then means that a clock is wrong or a delivery late, and never a forgery.
	if ageMax > 0 && r.At.Sub(at).Abs() > ageMax {
		return errStale
	}
	return nil
}

// SignedAt returns the time that the sender says it signed at. ok is false where the provider signs no time (Truv), or the
// request has none.
func SignedAt(r Received) (at time.Time, ok bool) {
	if r.Provider != schema.Pinwheel {
		return time.Time{}, false
	}
	_, at, err := timestamp(r.Header)
	return at, err == nil
}

func timestamp(h http.Header) (text string, at time.Time, err error) {
	values := h.Values(pinwheelTimestamp)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", time.Time{}, errTimestampMissing
	case len(values) > 1:
		return "", time.Time{}, errTimestampAmbiguous
	}
	text = values[0]
	if len(text) > timestampDigitsMax || strings.Trim(text, "0123456789") != "" {
		return "", time.Time{}, errTimestampMalformed
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return "", time.Time{}, errTimestampMalformed
	}
	return text, time.Unix(seconds, 0), nil
}

// pinwheelLayout: {"event": …, "event_id": …, "payload": {…}}. Of the seed events only verification_reports.refreshed has no
// timestamp. payload.id names a job, not the event.
func pinwheelLayout() layout {
	return layout{
		id:    "event_id",
		kind:  "event",
		times: []string{"payload.timestamp"},
		names: []string{"event_id", "event", "payload", "account_id", "end_user_id", "timestamp"},
	}
}
