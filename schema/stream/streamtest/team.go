package streamtest

import (
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/wagewire/wagewire/schema/stream"
)

// TeamAccounts returns a configuration of nats-server with two accounts: that of the streams, where
// a client without a key is the operator, and that of the team, with its key and no other rights
// than a team has.
func TeamAccounts(team stream.Team) string {
	return teamAccounts(team, "operator", "nkey: "+team.Key)
}

// TeamAccountsWithoutKey is TeamAccounts for clients that cannot sign. A client without a key is
// the team, with the password. The operator has the user and the password "operator".
func TeamAccountsWithoutKey(team stream.Team, password string) string {
	return teamAccounts(team, team.Name, fmt.Sprintf("user: %s, password: %s", team.Name, password))
}

// teamAccounts makes the user with the name the one of clients that do not say who they are.
func teamAccounts(team stream.Team, nobody, user string) string {
	var imports strings.Builder
	for _, subject := range team.Grant().Requests {
		fmt.Fprintf(&imports, "{ service: { account: WAGEWIRE, subject: %q }, to: %q }\n",
			subject, stream.DomainSubject(stream.Domain, subject))
	}
	return `jetstream: enabled
no_auth_user: ` + nobody + `
accounts {
  WAGEWIRE {
    jetstream: enabled
    users: [ { user: operator, password: operator } ]
    exports: [ { service: "$JS.API.>", response: stream }, { service: "$JS.ACK.>" } ]
  }
  TEAM {
    users: [ { ` + user + ` } ]
    imports: [ ` + imports.String() + ` ]
  }
}
`
}

// MakeTeamKey makes a key, writes its seed into the file, and returns the public half.
func MakeTeamKey(file string) (string, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	seed, err := pair.Seed()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		return "", err
	}
	return pair.PublicKey()
}
