// Command verification-reports is the worker of its resource: see verification-reports --help.
package main

import (
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

func main() {
	opener := workers.Opener{Open: fetch.Open, Variables: fetch.Variables}
	workers.Main(schema.VerificationReports, opener)
}
