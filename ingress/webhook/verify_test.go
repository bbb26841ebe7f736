package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/schema"
)

const (
	testSecret = "a-secret-for-tests-only"
	testBody   = `{"event":"income.added","event_id":"e1","payload":{"account_id":"a1"}}`
	ageMax     = 20 * time.Minute
)

var testNow = time.Date(2026, 1, 12, 2, 36, 2, 500_000_000, time.UTC)

// sum is the test's own HMAC, shared with nothing.
func sum(secret string, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(mac.Sum(nil))
}

// signedPinwheel returns the headers of a delivery that Pinwheel signed at a time.
func signedPinwheel(at time.Time) http.Header {
	text := strconv.FormatInt(at.Unix(), 10)
	return http.Header{
		"X-Pinwheel-Signature": {"v2=" + sum(testSecret, "v2:", text, ":", testBody)},
		"X-Timestamp":          {text},
	}
}

// with returns the headers with one of them changed. Without values the header is removed.
func with(h http.Header, key string, values ...string) http.Header {
	h = h.Clone()
	if len(values) == 0 {
		delete(h, key)
		return h
	}
	h[key] = values
	return h
}

const (
	pinwheelHeader = "X-Pinwheel-Signature"
	truvHeader     = "X-Webhook-Sign"
	timeHeader     = "X-Timestamp"
)

type verifyTest struct {
	header http.Header
	// secrets are the active secrets, testSecret if not set.
	secrets []schema.Secret
	// body is testBody if not set.
	body []byte
	// anyAge turns the check of age off.
	anyAge bool
	want   error
}

func (row verifyTest) run(t *testing.T, p schema.Provider) {
	r := Received{Provider: p, Header: row.header, Body: row.body, At: testNow}
	if r.Body == nil {
		r.Body = []byte(testBody)
	}
	secrets := row.secrets
	if secrets == nil {
		secrets = secretsOf(testSecret)
	}
	age := ageMax
	if row.anyAge {
		age = 0
	}
	err := Verify(r, secrets)
	if err == nil {
		err = checkAge(r, age)
	}
	expect(t, err, row.want)
}

// checkAge is CheckAge for a request. Without a signed time, any age is good.
func checkAge(r Received, ageMax time.Duration) error {
	at, ok := SignedAt(r)
	if !ok {
		return nil
	}
	return CheckAge(r.At.Sub(at), ageMax)
}

func TestVerifyPinwheelBySignature(t *testing.T) {
	good := signedPinwheel(testNow)
	stamp := good.Get(timeHeader)
	signature := good.Get(pinwheelHeader)
	digits := strings.TrimPrefix(signature, "v2=")
	signed := func(values ...string) http.Header { return with(good, pinwheelHeader, values...) }
	ofTruv := http.Header{truvHeader: {"v1=" + sum(testSecret, testBody)}, timeHeader: {stamp}}
	emptyKey := "v2=" + sum("", "v2:", stamp, ":", testBody)
	for name, row := range map[string]verifyTest{
		"a signed request is verified": {header: good},
		"the last of the active secrets may have signed": {
			header:  good,
			secrets: secretsOf("another-old-secret", "one-more-secret-yet", testSecret)},
		"the first of the active secrets may have signed": {
			header: good, secrets: secretsOf(testSecret, "another-old-secret")},
		"digits may be upper case: they are the same bytes": {
			header: signed("v2=" + strings.ToUpper(digits))},

		"the empty secret verifies nothing": {
			header: signed(emptyKey), secrets: secretsOf(""), want: errSignatureMismatch},
		"no secret verifies nothing": {
			header: good, secrets: secretsOf(), want: errSignatureMismatch},
		"no signature is refused":       {header: signed(), want: errSignatureMissing},
		"an empty signature is refused": {header: signed(""), want: errSignatureMissing},
		"a second signature is refused, though the first is right": {
			header: signed(signature, "v2="+strings.Repeat("0", 64)), want: errSignatureAmbiguous},
		"two signatures in one header are refused": {
			header: signed(signature + ", " + signature), want: errSignatureAmbiguous},
		"another secret's signature is refused": {
			header: good, secrets: secretsOf("another-old-secret"), want: errSignatureMismatch},
		"a signature under the secret in hexadecimal is refused": {
			header: good, secrets: secretsOf(hex.EncodeToString([]byte(testSecret))),
			want: errSignatureMismatch},
		"a changed body is refused": {
			header: good, body: []byte(testBody + " "), want: errSignatureMismatch},
		"the empty body is refused": {header: good, body: []byte{}, want: errSignatureMismatch},
		"a digit short is refused": {
			header: signed(signature[:len(signature)-1]), want: errSignatureMalformed},
		"a byte short is refused": {
			header: signed(signature[:len(signature)-2]), want: errSignatureMalformed},
		"a byte long is refused": {
			header: signed(signature + "00"), want: errSignatureMalformed},
		"no digits at all is refused": {header: signed("v2="), want: errSignatureMalformed},
		"letters beyond f are refused": {
			header: signed("v2=" + strings.Repeat("g", 64)), want: errSignatureMalformed},
		"v1 is refused, no downgrade": {header: signed("v1=" + digits), want: errSignatureVersion},
		"v0 is refused":               {header: signed("v0=" + digits), want: errSignatureVersion},
		"no version is refused":       {header: signed(digits), want: errSignatureVersion},
		"Truv's way of signing is refused": {
			header: signed("v2=" + sum(testSecret, testBody)), want: errSignatureMismatch},
		"Truv's header does not replace Pinwheel's": {header: ofTruv, want: errSignatureMissing},
	} {
		t.Run(name, func(t *testing.T) { row.run(t, schema.Pinwheel) })
	}
}

func TestVerifyPinwheelByTime(t *testing.T) {
	good := signedPinwheel(testNow)
	longAgo := signedPinwheel(time.Unix(1, 0))
	stamp := good.Get(timeHeader)
	stamped := func(values ...string) http.Header { return with(good, timeHeader, values...) }
	// signedText is the headers of a delivery whose timestamp is any text.
	signedText := func(text string) http.Header {
		return http.Header{
			pinwheelHeader: {"v2=" + sum(testSecret, "v2:", text, ":", testBody)},
			timeHeader:     {text},
		}
	}
	for name, row := range map[string]verifyTest{
		"a signature of 20 minutes ago is good": {
			header: signedPinwheel(testNow.Add(-ageMax + time.Second))},
		"an older signature is stale": {
			header: signedPinwheel(testNow.Add(-ageMax)), want: ErrStale},
		"a signature from as far in the future is stale": {
			header: signedPinwheel(testNow.Add(ageMax + time.Second)), want: ErrStale},
		"any age is good when the check is off": {header: longAgo, anyAge: true},
		"a forged signature is not stale, however old": {
			header: with(longAgo, pinwheelHeader, good.Get(pinwheelHeader)),
			want:   errSignatureMismatch},
		"a timestamp in milliseconds is stale": {
			header: signedText("1768185362500"), want: ErrStale},
		"a timestamp of 18 digits is stale and overflows nothing": {
			header: signedText("999999999999999999"), want: ErrStale},
		"the beginning of time is stale":               {header: signedText("0"), want: ErrStale},
		"leading zeros are signed text like any other": {header: signedText("01768185362")},

		"no timestamp is refused":       {header: stamped(), want: errTimestampMissing},
		"an empty timestamp is refused": {header: stamped(""), want: errTimestampMissing},
		"a second timestamp is refused": {
			header: stamped(stamp, stamp), want: errTimestampAmbiguous},
		"an unsigned timestamp is refused": {
			header: stamped("1768185361"), want: errSignatureMismatch},
		"words are no timestamp, also when signed": {
			header: signedText("yesterday"), want: errTimestampMalformed},
		"words are no timestamp, also when the check of age is off": {
			header: signedText("yesterday"), anyAge: true, want: errTimestampMalformed},
		"a negative number is no timestamp": {
			header: signedText("-1768185362"), want: errTimestampMalformed},
		"a number with a plus is no timestamp": {
			header: signedText("+1768185362"), want: errTimestampMalformed},
		"a fraction is no timestamp": {
			header: signedText("1768185362.5"), want: errTimestampMalformed},
		"a number of 19 digits is no timestamp, also a small one": {
			header: signedText("0000000001768185362"), want: errTimestampMalformed},
		"a number over 64 bits is no timestamp": {
			header: signedText("99999999999999999999"), want: errTimestampMalformed},
		"a number that would overflow in a subtraction is no timestamp": {
			header: signedText("9223372036854775807"), want: errTimestampMalformed},
	} {
		t.Run(name, func(t *testing.T) { row.run(t, schema.Pinwheel) })
	}
}

func TestVerifyTruv(t *testing.T) {
	good := sum(testSecret, testBody)
	ofPinwheel := sum(testSecret, "v2:1768185362:", testBody)
	ofAnotherKey := sum("another-old-secret", testBody)
	anotherBody := sum(testSecret, testBody, "\n")
	ofNothing := sum(testSecret)
	for name, row := range map[string]struct {
		signature []string
		want      error
	}{
		"a signed request is verified": {[]string{"v1=" + good}, nil},
		"no signature is refused":      {nil, errSignatureMissing},
		"a second signature is refused": {
			[]string{"v1=" + good, "v1=" + good}, errSignatureAmbiguous},
		"v2 is refused":                      {[]string{"v2=" + good}, errSignatureVersion},
		"V1 in upper case is refused":        {[]string{"V1=" + good}, errSignatureVersion},
		"no version is refused":              {[]string{good}, errSignatureVersion},
		"text in place of digits is refused": {[]string{"v1=64 of them"}, errSignatureMalformed},
		"a foreign key is refused": {
			[]string{"v1=" + ofAnotherKey}, errSignatureMismatch},
		"another body is refused":           {[]string{"v1=" + anotherBody}, errSignatureMismatch},
		"a signature of nothing is refused": {[]string{"v1=" + ofNothing}, errSignatureMismatch},
		"Pinwheel's way is refused":         {[]string{"v1=" + ofPinwheel}, errSignatureMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{truvHeader: row.signature}
			verifyTest{header: header, want: row.want}.run(t, schema.Truv)
		})
	}
}

func TestVerifyRefusesAnUnknownProvider(t *testing.T) {
	r := Received{Provider: "argyle"}
	expect(t, Verify(r, secretsOf(testSecret)), errSchemeUnknown)
	expect(t, CheckHeaders(r.Provider, r.Header), errSchemeUnknown)
}

// The vector that Pinwheel publishes: key TEST_KEY, timestamp 860860860, 244 bytes, no newline at
// the end.
func TestVerifyAcceptsPinwheelsPublishedVector(t *testing.T) {
	const body = `{
    "coordinates": [41.0555388, -73.8679639],
    "location": "Lyndhurst Mansion, South Broadway, Tarrytown, NY",
    "type": {
        "common_name": "American sycamore",
        "genus": "platanus",
        "species": "occidentalis"
    }
}`
	if len(body) != 244 {
		t.Fatalf("the body has %d bytes, the vector's has 244", len(body))
	}
	r := Received{Provider: schema.Pinwheel, Body: []byte(body), At: testNow, Header: http.Header{
		pinwheelHeader: {"v2=42fb9eba200e821d4de63667f5a30f7e1b83609b135e148e26ce01eef2aa6ba8"},
		timeHeader:     {"860860860"},
	}}
	expect(t, Verify(r, secretsOf("TEST_KEY")), nil)
	expect(t, checkAge(r, ageMax), ErrStale)
	expect(t, checkAge(r, 0), nil)
	expect(t, Verify(r, secretsOf("TEST_KEX")), errSignatureMismatch)
}

func TestSignedAt(t *testing.T) {
	stamped := func(values ...string) http.Header {
		return with(signedPinwheel(testNow), timeHeader, values...)
	}
	const stamp = "860860860"
	for name, row := range map[string]struct {
		provider schema.Provider
		header   http.Header
		want     time.Time
		ok       bool
	}{
		"Pinwheel's timestamp": {
			schema.Pinwheel, stamped(stamp), time.Unix(860860860, 0), true},
		"no time without a timestamp":      {schema.Pinwheel, stamped(), time.Time{}, false},
		"no time of a malformed timestamp": {schema.Pinwheel, stamped("x"), time.Time{}, false},
		"no time of Truv, who signs none":  {schema.Truv, stamped(stamp), time.Time{}, false},
		"no time of an unknown provider":   {"argyle", stamped(stamp), time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			at, ok := SignedAt(Received{Provider: row.provider, Header: row.header})
			if !at.Equal(row.want) || ok != row.ok {
				t.Errorf("SignedAt: %v, %v; want %v, %v", at, ok, row.want, row.ok)
			}
		})
	}
}

// A request whose headers alone show that it is not signed costs no memory for a body.
func TestCheckHeadersFindsWhatNoBodyCanMend(t *testing.T) {
	good := signedPinwheel(testNow)
	digits := sum(testSecret, testBody)
	ofTruv := func(values ...string) http.Header { return http.Header{truvHeader: values} }
	for name, row := range map[string]struct {
		provider schema.Provider
		header   http.Header
		want     error
	}{
		"Pinwheel's headers may be those of a signed body": {schema.Pinwheel, good, nil},
		"Truv's header may be that of a signed body": {
			schema.Truv, ofTruv("v1=" + digits), nil},
		"any age may be that of a signed body": {
			schema.Pinwheel, signedPinwheel(time.Unix(1, 0)), nil},
		"no signature": {
			schema.Pinwheel, with(good, pinwheelHeader), errSignatureMissing},
		"two signatures": {
			schema.Truv, ofTruv("v1="+digits, "v1="+digits), errSignatureAmbiguous},
		"a signature of another version": {
			schema.Truv, ofTruv("v2=" + digits), errSignatureVersion},
		"a signature that is no digest": {
			schema.Truv, ofTruv("v1=" + digits[1:]), errSignatureMalformed},
		"no timestamp": {schema.Pinwheel, with(good, timeHeader), errTimestampMissing},
		"two timestamps": {
			schema.Pinwheel, with(good, timeHeader, "1", "1"), errTimestampAmbiguous},
		"a timestamp that is no number": {
			schema.Pinwheel, with(good, timeHeader, "now"), errTimestampMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, CheckHeaders(row.provider, row.header), row.want)
		})
	}
}

// expect asserts in which way the request failed, and that the handler will know the error.
func expect(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (got == nil) != (want == nil) {
		t.Fatalf("verify: got %v, want %v", got, want)
	}
	if got == nil {
		return
	}
	if errors.Is(got, ErrStale) {
		return
	}
	unverified, ok := errors.AsType[*UnverifiedError](got)
	if !ok || unverified.Reason == "" || unverified.Error() == "" {
		t.Errorf("verify: %#v is no UnverifiedError with a reason", got)
	}
}

func secretsOf(texts ...string) []schema.Secret {
	secrets := []schema.Secret{}
	for _, text := range texts {
		secrets = append(secrets, schema.NewSecret(text))
	}
	return secrets
}
