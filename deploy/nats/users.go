package nats

import (
	"fmt"
	"strings"

	"github.com/wagewire/wagewire/schema/stream"
)

// account is the account of all roles. The account SYS has no users, so no client can inspect the
// servers.
const account = "WAGEWIRE"

// Users returns the text of users.conf: the account, and a user for each role with the rights of
// stream.Grants.
func Users() string {
	var b strings.Builder
	b.WriteString(`# Generated from stream.Grants, which explains the rights. Repair: make generate.
# A user for each role; keys.conf, in the same directory, has the public keys. The broker refuses
# everything else.

include keys.conf

accounts {
  SYS {}
  ` + account + ` {
    jetstream: enabled
    users: [
`)
	for _, grant := range stream.Grants() {
		fmt.Fprintf(&b, "      {\n        nkey: $%s\n        permissions {\n", keyName(grant.Role))
		writeAllowed(&b, "publish", grant.Publish)
		writeAllowed(&b, "subscribe", grant.Subscribe)
		b.WriteString("        }\n      }\n")
	}
	b.WriteString("    ]\n  }\n}\n\nsystem_account: SYS\n")
	return b.String()
}

func writeAllowed(b *strings.Builder, what string, subjects []string) {
	fmt.Fprintf(b, "          %s {\n            allow: [\n", what)
	for _, subject := range subjects {
		fmt.Fprintf(b, "              %q\n", subject)
	}
	b.WriteString("            ]\n          }\n")
}

// keyName returns the name of a role's variable in keys.conf.
func keyName(role string) string { return strings.ToUpper(underscored(role)) }

// SeedFile returns the name of the file with a role's seed.
func SeedFile(role string) string { return "nats_" + underscored(role) + ".nk" }

func underscored(role string) string { return strings.ReplaceAll(role, "-", "_") }
