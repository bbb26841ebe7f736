package webhook

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// acme is how Acme signs: one header "t=<Unix seconds>,s=<base64>", HMAC-SHA512 over the body and
// then the time.
var acme = scheme{
	secretsName:   "signing keys",
	signsTime:     true,
	readSignature: readAcmeSignature,
	verify: func(claimed signature, secrets []schema.Secret, body []byte) bool {
		signed := false
		for _, secret := range secrets {
			mac := hmac.New(sha512.New, []byte(secret.Reveal()))
			mac.Write(body)
			mac.Write([]byte(claimed.stamp))
			signed = hmac.Equal(mac.Sum(nil), claimed.digest) || signed
		}
		return signed
	},
}

func readAcmeSignature(h http.Header) (signature, error) {
	sent, at, digest, err := readAcme(h)
	if err != nil {
		return signature{}, err
	}
	return signature{at: at, stamp: sent, digest: digest}, nil
}

func readAcme(h http.Header) (sent string, at time.Time, digest []byte, err error) {
	first, second, ok := strings.Cut(h.Get("Acme-Signature"), ",")
	if !ok {
		return "", at, nil, errSignatureMissing
	}
	sent = strings.TrimPrefix(first, "t=")
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if err != nil {
		return "", at, nil, errTimestampMalformed
	}
	digest, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(second, "s="))
	if err != nil {
		return "", at, nil, errSignatureMalformed
	}
	return sent, time.Unix(seconds, 0), digest, nil
}
