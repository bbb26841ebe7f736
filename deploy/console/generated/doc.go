// Package generated holds the test that the Go files of the console's components are what templ
// makes of them. With -update the test writes them. It is a package of its own, because a new
// component is written before the package of the console compiles.
//
//go:generate go test . -run Generated -count=1 -update
package generated
