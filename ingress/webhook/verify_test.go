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

func with(h http.Header, key string, values ...string) http.Header {
	h = h.Clone()
	if h[key] = values; len(values) == 0 {
		delete(h, key)
	}
	return h
}

func TestVerifyPinwheel(t *testing.T) {
	good := signedPinwheel(testNow)
	signature, digits := good.Get("X-Pinwheel-Signature"), strings.TrimPrefix(good.Get("X-Pinwheel-Signature"), "v2=")
	stamped := func(text string) http.Header {
		return http.Header{
			"X-Pinwheel-Signature": {"v2=" + sum(testSecret, "v2:", text, ":", testBody)},
			"X-Timestamp":          {text},
		}
	}
	for name, row := range map[string]struct {
		header  http.Header
		secrets []schema.Secret
		body    string
		off     bool
		want    error
	}{
		"a signed request is verified":                                   {header: good},
		"6: any of the active secrets may have signed, the last too":     {header: good, secrets: secretsOf("another-old-secret", "one-more-secret-yet", testSecret)},
		"6: and the first":                                               {header: good, secrets: secretsOf(testSecret, "another-old-secret")},
		"6: the empty secret verifies nothing":                           {header: with(good, "X-Pinwheel-Signature", "v2="+sum("", "v2:", good.Get("X-Timestamp"), ":", testBody)), secrets: secretsOf(""), want: errSignatureMismatch},
		"6: no secret verifies nothing":                                  {header: good, secrets: secretsOf(), want: errSignatureMismatch},
		"3: no signature is refused":                                     {header: with(good, "X-Pinwheel-Signature"), want: errSignatureMissing},
		"3: an empty signature is refused":                               {header: with(good, "X-Pinwheel-Signature", ""), want: errSignatureMissing},
		"4: a second signature is refused, though the first is right":    {header: with(good, "X-Pinwheel-Signature", signature, "v2="+strings.Repeat("0", 64)), want: errSignatureAmbiguous},
		"4: two signatures in one header are refused":                    {header: with(good, "X-Pinwheel-Signature", signature+", "+signature), want: errSignatureAmbiguous},
		"5: another secret's signature is refused":                       {header: good, secrets: secretsOf("another-old-secret"), want: errSignatureMismatch},
		"5: a changed body is refused":                                   {header: good, body: testBody + " ", want: errSignatureMismatch},
		"5: the empty body is refused":                                   {header: good, body: "-", want: errSignatureMismatch},
		"5: a digit short is refused":                                    {header: with(good, "X-Pinwheel-Signature", signature[:len(signature)-1]), want: errSignatureMalformed},
		"5: a byte short is refused":                                     {header: with(good, "X-Pinwheel-Signature", signature[:len(signature)-2]), want: errSignatureMalformed},
		"5: a byte long is refused":                                      {header: with(good, "X-Pinwheel-Signature", signature+"00"), want: errSignatureMalformed},
		"5: no digits at all are refused":                                {header: with(good, "X-Pinwheel-Signature", "v2="), want: errSignatureMalformed},
		"5: what is not hexadecimal is refused":                          {header: with(good, "X-Pinwheel-Signature", "v2="+strings.Repeat("g", 64)), want: errSignatureMalformed},
		"5: v1 is refused, no downgrade":                                 {header: with(good, "X-Pinwheel-Signature", "v1="+digits), want: errSignatureVersion},
		"5: v0 is refused":                                               {header: with(good, "X-Pinwheel-Signature", "v0="+digits), want: errSignatureVersion},
		"5: no version is refused":                                       {header: with(good, "X-Pinwheel-Signature", digits), want: errSignatureVersion},
		"5: Truv's way of signing is refused":                            {header: with(good, "X-Pinwheel-Signature", "v2="+sum(testSecret, testBody)), want: errSignatureMismatch},
		"5: digits may be upper case, they are the same bytes":           {header: with(good, "X-Pinwheel-Signature", "v2="+strings.ToUpper(digits))},
		"7: a signature of 20 minutes ago is good":                       {header: signedPinwheel(testNow.Add(-ageMax + time.Second))},
		"7: an older one is stale":                                       {header: signedPinwheel(testNow.Add(-ageMax)), want: errStale},
		"7: one from as far in the future is stale":                      {header: signedPinwheel(testNow.Add(ageMax + time.Second)), want: errStale},
		"7: any age is good when the check is off":                       {header: signedPinwheel(time.Unix(1, 0)), off: true},
		"7: a forged signature is no stale one, however old":             {header: with(signedPinwheel(time.Unix(1, 0)), "X-Pinwheel-Signature", signature), want: errSignatureMismatch},
		"7: the end of time is stale and overflows nothing":              {header: stamped("999999999999"), want: errStale},
		"8: no timestamp is refused":                                     {header: with(good, "X-Timestamp"), want: errTimestampMissing},
		"8: an empty timestamp is refused":                               {header: with(good, "X-Timestamp", ""), want: errTimestampMissing},
		"8: a second timestamp is refused":                               {header: with(good, "X-Timestamp", good.Get("X-Timestamp"), good.Get("X-Timestamp")), want: errTimestampAmbiguous},
		"8: words are no timestamp, also when signed":                    {header: stamped("yesterday"), want: errTimestampMalformed},
		"8: nor is a negative number":                                    {header: stamped("-1768185362"), want: errTimestampMalformed},
		"8: nor one with a plus":                                         {header: stamped("+1768185362"), want: errTimestampMalformed},
		"8: nor a fraction":                                              {header: stamped("1768185362.5"), want: errTimestampMalformed},
		"8: nor what overflows 64 bits":                                  {header: stamped("99999999999999999999"), want: errTimestampMalformed},
		"8: nor what would overflow later, in a subtraction":             {header: stamped("9223372036854775807"), want: errTimestampMalformed},
		"8: a timestamp that was not the one signed is refused":          {header: with(good, "X-Timestamp", "1768185361"), want: errSignatureMismatch},
		"8: leading zeros are signed text like any other":                {header: stamped("01768185362")},
		"8: a timestamp is checked also when the age is not":             {header: stamped("yesterday"), off: true, want: errTimestampMalformed},
		"5: Truv's header does not stand in for Pinwheel's":              {header: http.Header{"X-Webhook-Sign": {"v1=" + sum(testSecret, testBody)}, "X-Timestamp": good["X-Timestamp"]}, want: errSignatureMissing},
		"5: the signature of the right text under the key in hex is not": {header: good, secrets: secretsOf(hex.EncodeToString([]byte(testSecret))), want: errSignatureMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			r := Received{Provider: schema.Pinwheel, Header: row.header, Body: []byte(testBody), At: testNow}
			switch row.body {
			case "":
			case "-":
				r.Body = nil
			default:
				r.Body = []byte(row.body)
			}
			secrets, age := row.secrets, ageMax
			if secrets == nil {
				secrets = secretsOf(testSecret)
			}
			if row.off {
				age = 0
			}
			expect(t, Verify(r, secrets, age), row.want)
		})
	}
}

func TestVerifyTruv(t *testing.T) {
	const digits = "64 of them"
	good := sum(testSecret, testBody)
	for name, row := range map[string]struct {
		signature []string
		want      error
	}{
		"a signed request is verified":                {[]string{"v1=" + good}, nil},
		"3: no signature is refused":                  {nil, errSignatureMissing},
		"4: a second signature is refused":            {[]string{"v1=" + good, "v1=" + good}, errSignatureAmbiguous},
		"5: v2 is refused":                            {[]string{"v2=" + good}, errSignatureVersion},
		"5: no version is refused":                    {[]string{good}, errSignatureVersion},
		"5: what is not hexadecimal is refused":       {[]string{"v1=" + digits}, errSignatureMalformed},
		"5: another secret's signature is refused":    {[]string{"v1=" + sum("another-old-secret", testBody)}, errSignatureMismatch},
		"5: another body's signature is refused":      {[]string{"v1=" + sum(testSecret, testBody, "\n")}, errSignatureMismatch},
		"5: a signature over nothing is refused":      {[]string{"v1=" + sum(testSecret)}, errSignatureMismatch},
		"5: Pinwheel's way of signing it is refused":  {[]string{"v1=" + sum(testSecret, "v2:1768185362:", testBody)}, errSignatureMismatch},
		"5: the version's case is the provider's own": {[]string{"V1=" + good}, errSignatureVersion},
	} {
		t.Run(name, func(t *testing.T) {
			r := Received{Provider: schema.Truv, Header: http.Header{"X-Webhook-Sign": row.signature}, Body: []byte(testBody), At: testNow}
			expect(t, Verify(r, secretsOf(testSecret), ageMax), row.want)
		})
	}
	t.Run("2: a provider that is not known is refused", func(t *testing.T) {
		expect(t, Verify(Received{Provider: "argyle"}, secretsOf(testSecret), ageMax), errProviderUnknown)
	})
}

// The vector that Pinwheel publishes: key TEST_KEY, timestamp 860860860, 244 bytes, no newline at the end.
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
		"X-Pinwheel-Signature": {"v2=42fb9eba200e821d4de63667f5a30f7e1b83609b135e148e26ce01eef2aa6ba8"},
		"X-Timestamp":          {"860860860"},
	}}
	expect(t, Verify(r, secretsOf("TEST_KEY"), 0), nil)
	expect(t, Verify(r, secretsOf("TEST_KEY"), ageMax), errStale)
	expect(t, Verify(r, secretsOf("TEST_KEX"), 0), errSignatureMismatch)
}

func TestSignedAt(t *testing.T) {
	for name, row := range map[string]struct {
		provider schema.Provider
		header   http.Header
		want     time.Time
		ok       bool
	}{
		"Pinwheel's timestamp":         {schema.Pinwheel, http.Header{"X-Timestamp": {"860860860"}}, time.Unix(860860860, 0), true},
		"no time without a timestamp":  {schema.Pinwheel, http.Header{}, time.Time{}, false},
		"no time of a malformed one":   {schema.Pinwheel, http.Header{"X-Timestamp": {"x"}}, time.Time{}, false},
		"no time of Truv, signed none": {schema.Truv, http.Header{"X-Timestamp": {"860860860"}}, time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if at, ok := SignedAt(Received{Provider: row.provider, Header: row.header}); !at.Equal(row.want) || ok != row.ok {
				t.Errorf("SignedAt: %v, %v; want %v, %v", at, ok, row.want, row.ok)
			}
		})
	}
}

// expect asserts which way the request failed, and that the handler will know it for what it is.
func expect(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (got == nil) != (want == nil) {
		t.Fatalf("verify: got %v, want %v", got, want)
	}
	if unverified, ok := errors.AsType[*UnverifiedError](got); got != nil && (!ok || unverified.Reason == "" || unverified.Error() == "") {
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
