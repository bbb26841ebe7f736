// Package client is the kit for programs that read the completions of Wagewire.
package client
