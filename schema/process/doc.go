// Package process is what every Wagewire process shares with the outside: secret files, the logger, and the admin listener
// with its health and metrics. It stands under schema because ingress and workers may meet nowhere else; without it the
// same hundred lines would stand in both.
package process
