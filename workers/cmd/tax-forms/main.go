// Command tax-forms is the worker of its resource: see tax-forms --help.
package main

import (
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/fetch"
)

func main() {
	opener := workers.Opener{Open: fetch.Open, Variables: fetch.Variables}
	workers.Main(schema.TaxForms, opener)
}
