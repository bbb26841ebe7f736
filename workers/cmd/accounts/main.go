// Command accounts keeps the states of accounts: see accounts --help.
package main

import "github.com/wagewire/wagewire/workers"

func main() { workers.AccountsMain() }
