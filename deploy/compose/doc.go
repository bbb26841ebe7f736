// Package compose tests the stack that docker-compose.yml, cluster.yml and up are: what they say, read as docker compose reads
// it, and, with the tag containers, what they do, by the command that a user has.
package compose
