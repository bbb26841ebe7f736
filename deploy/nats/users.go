package nats

import (
	"fmt"
	"strings"

	"github.com/wagewire/wagewire/schema/stream"
)

// account is where all of an installation is. The account SYS has no users: nobody looks into the servers from outside.
const account = "WAGEWIRE"

// Users is users.conf: the account, and a user a role with what stream.Grants gives it.
func Users() string {
	var b strings.Builder
	b.WriteString(`# Generated from stream.Grants, which says why (repair: make generate). One user a role; keys.conf, beside this file, has their
# public keys. What is not allowed here is refused.

include keys.conf

accounts {
  SYS {}
  ` + account + ` {
    jetstream: enabled
    users: [
`)
	for _, grant := range stream.Grants() {
		fmt.Fprintf(&b, "      {\n        nkey: $%s\n        permissions {\n", keyName(grant.Role))
		list(&b, "publish", grant.Publish)
		list(&b, "subscribe", grant.Subscribe)
		b.WriteString("        }\n      }\n")
	}
	b.WriteString("    ]\n  }\n}\n\nsystem_account: SYS\n")
	return b.String()
}

func list(b *strings.Builder, what string, subjects []string) {
	fmt.Fprintf(b, "          %s {\n            allow: [\n", what)
	for _, subject := range subjects {
		fmt.Fprintf(b, "              %q\n", subject)
	}
	b.WriteString("            ]\n          }\n")
}

// keyName is a role's variable in keys.conf.
func keyName(role string) string { return strings.ToUpper(underscored(role)) }

// SeedFile is the name of the file with a role's seed.
func SeedFile(role string) string { return "nats_" + underscored(role) + ".nk" }

func underscored(role string) string { return strings.ReplaceAll(role, "-", "_") }
