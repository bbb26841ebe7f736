package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// sign sets the headers by which the provider signs a webhook.
//
// TODO(issue 8): call fake.Sign, the registry of signatures by provider, and delete signers.
func sign(
	p schema.Provider, header http.Header, secret schema.Secret, at time.Time, body []byte,
) error {
	setHeaders, ok := signers()[p]
	if !ok {
		return fmt.Errorf("no signature for %s: add one in deploy/cmd/wagewire/signing.go", p)
	}
	setHeaders(header, secret.Reveal(), at, body)
	return nil
}

type signer func(header http.Header, secret string, at time.Time, body []byte)

func signers() map[schema.Provider]signer {
	return map[schema.Provider]signer{
		schema.Pinwheel: func(header http.Header, secret string, at time.Time, body []byte) {
			header.Set("X-Timestamp", strconv.FormatInt(at.Unix(), 10))
			header.Set("X-Pinwheel-Signature", fake.SignPinwheel(secret, at.Unix(), body))
		},
		schema.Truv: func(header http.Header, secret string, _ time.Time, body []byte) {
			header.Set("X-Webhook-Sign", fake.SignTruv(secret, body))
		},
	}
}
