// Package process is what every Wagewire process shares with the outside: secret files, the logger, the admin listener
// with its health and metrics and the healthcheck that asks it, the version, certificates and time zones. It stands under schema because ingress and workers may meet nowhere else; without it the
// same hundred lines would stand in both.
package process
