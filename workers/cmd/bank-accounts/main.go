// Command bank-accounts is the worker of its resource: see bank-accounts --help.
package main

import (
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

func main() {
	opener := workers.Opener{Open: fetch.Open, Variables: fetch.Variables}
	workers.Main(schema.BankAccounts, opener)
}
