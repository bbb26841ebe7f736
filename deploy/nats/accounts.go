package nats

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// StreamsAccount is the account with the streams, and of the operator.
const StreamsAccount = "WAGEWIRE"

// Files of the broker's configuration, beside nats.conf. KeysFile and TeamsFile belong to an
// installation; the others are the same everywhere.
const (
	// AccountsFile has the accounts, generated from stream.Grants.
	AccountsFile = "accounts.conf"
	// UpgradeFile takes the place of AccountsFile during an upgrade from a release without
	// accounts: it has the users of that release too.
	UpgradeFile = "accounts-upgrade.conf"
	// KeysFile has the public key of each role.
	KeysFile = "keys.conf"
	// TeamsFile has the accounts of the teams.
	TeamsFile = "teams.conf"
)

// Limits of a role's or team's account.
const (
	// connectionsMax is enough for a connection from each process of a worker or team.
	connectionsMax = 256
	// subscriptionsMax is the limit of one connection. A process of ours has fewer than 100.
	subscriptionsMax = 1_000
	// teamPayloadMax is enough for the requests of a team: it publishes nothing.
	teamPayloadMax = 64 << 10
)

// Accounts returns the text of AccountsFile: the account of the streams, an account for each role
// with the rights of stream.Grants, and an include of the teams' accounts.
func Accounts() string {
	return accounts(`
# An account for each role. The streams are in the account WAGEWIRE, with the operator. The other
# accounts import their requests, and the broker refuses everything else. keys.conf has the public
# key of each role, and teams.conf the accounts of the teams that subscribe.
`, "    users: [ { nkey: $"+keyName(stream.RoleOperator)+" } ]\n", stream.Grants())
}

//go:embed former-users.conf
var formerUsers string

// AccountsForUpgrade returns the text of UpgradeFile. The worker of bank accounts has no rights in
// it: a former key of a team reads every completion and every record, so nothing of bank accounts
// may be stored before the former keys are refused. Until then the worker's events wait.
func AccountsForUpgrade() string {
	_, users, _ := strings.Cut(formerUsers, "users: [\n")
	operator := "  { nkey: $" + keyName(stream.RoleOperator) + " }\n"
	var lines strings.Builder
	for line := range strings.Lines("users: [\n" + operator + users) {
		lines.WriteString("    " + line)
	}
	return accounts(`
# accounts.conf for the time of an upgrade from a release without accounts. The users of that
# release stay in the account WAGEWIRE, with their former rights. keys.conf has their keys too, with
# the prefix FORMER_. Their former rights include every completion, so the worker of bank accounts
# has no rights, and waits for accounts.conf.
`, lines.String(), withoutRights(stream.WorkerRole(schema.BankAccounts)))
}

// withoutRights returns stream.Grants with nothing for the role.
func withoutRights(role string) []stream.Grant {
	grants := stream.Grants()
	for i := range grants {
		if grants[i].Role == role {
			grants[i] = stream.Grant{Role: role}
		}
	}
	return grants
}

// accounts returns a configuration of accounts. users are the lines with the users of the streams'
// account.
func accounts(about, users string, grants []stream.Grant) string {
	var b strings.Builder
	b.WriteString("# Generated from stream.Grants, which explains the rights. " +
		"Repair: make generate.")
	b.WriteString(about)
	b.WriteString(`
include keys.conf

accounts {
  # Nobody has a user of this account, so no client can inspect the servers.
  SYS {}

  ` + StreamsAccount + ` {
    jetstream: enabled
` + users + `    # The name by which the other accounts reach JetStream works here too.
    mappings: { ` + fmt.Sprintf("%q: %q", domainAPI, "$JS.API.>") + ` }
    # The imports below say which account may do what: no account has an import of its own making.
    exports: [
      { service: "$JS.API.>", response: stream }
      { service: "$JS.ACK.>" }
      { service: "wagewire.>" }
      { service: "$O.>" }
      { service: "$KV.>" }
      { stream: "wagewire.pauses.*" }
      { stream: "wagewire.budgets.*" }
    ]
  }
`)
	for _, grant := range grants {
		writeAccount(&b, account{
			name: keyName(grant.Role), key: "$" + keyName(grant.Role), grant: grant,
		})
	}
	b.WriteString("\n  include teams.conf\n}\n\nsystem_account: SYS\n")
	return b.String()
}

var domainAPI = stream.DomainSubject(stream.Domain, "$JS.API.>")

// Teams returns the text of TeamsFile.
func Teams(teams []stream.Team) string {
	var b strings.Builder
	b.WriteString("# The accounts of the teams that subscribe. wagewire team writes this file.\n")
	for _, team := range teams {
		writeAccount(&b, account{
			name: "TEAM_" + team.Name, key: team.Key, grant: team.Grant(),
			payloadMax: teamPayloadMax,
		})
	}
	return b.String()
}

// account is an account of the configuration.
type account struct {
	name string
	// key is the public key of the account's user, or the variable with it.
	key   string
	grant stream.Grant
	// payloadMax is the limit of a message in bytes. 0: the broker's.
	payloadMax int
}

func writeAccount(b *strings.Builder, a account) {
	fmt.Fprintf(b, "\n  %s {\n    users: [ { nkey: %s } ]\n", a.name, a.key)
	fmt.Fprintf(b, "    limits: { max_connections: %d, max_subscriptions: %d",
		connectionsMax, subscriptionsMax)
	if a.payloadMax > 0 {
		fmt.Fprintf(b, ", max_payload: %d", a.payloadMax)
	}
	b.WriteString(" }\n    imports: [\n")
	for _, subject := range a.grant.Requests {
		writeImport(b, "service", subject, stream.DomainSubject(stream.Domain, subject))
	}
	for _, subject := range a.grant.Listens {
		writeImport(b, "stream", subject, subject)
	}
	b.WriteString("    ]\n  }\n")
}

// writeImport writes an import of a subject of the streams' account. as is the subject within the
// importing account.
func writeImport(b *strings.Builder, kind, subject, as string) {
	fmt.Fprintf(b, "      { %s: { account: %s, subject: %q }", kind, StreamsAccount, subject)
	if as != subject {
		fmt.Fprintf(b, ", to: %q", as)
	}
	b.WriteString(" }\n")
}

// keyName returns the name of a role's account, and of its variable in KeysFile.
func keyName(role string) string { return strings.ToUpper(underscored(role)) }

// SeedFile returns the name of the file with a role's seed.
func SeedFile(role string) string { return "nats_" + underscored(role) + ".nk" }

// TeamSeedFile returns the name of the file with a team's seed.
func TeamSeedFile(team string) string { return "nats_team_" + underscored(team) + ".nk" }

func underscored(role string) string { return strings.ReplaceAll(role, "-", "_") }
