// Command shifts is the worker of its resource: see shifts --help.
package main

import (
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

func main() {
	opener := workers.Opener{Open: fetch.Open, Variables: fetch.Variables}
	workers.Main(schema.Shifts, opener)
}
