// Package compose tests the stack of docker-compose.yml, cluster.yml and up. Most tests read the
// files as docker compose does. With the build tag containers, the tests also start the stack with
// the commands of a user.
//
// The variables of the stack are documented in .env.example, and those of every process in
// deploy/README.md. Both lists are generated from the code that reads the variables.
package compose

//go:generate go test . -run Generated -count=1 -update
