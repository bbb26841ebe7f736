// Package chromium tests the pages of the console in Debian's Chromium, with the demonstration's
// data: that they load, are read and used with a keyboard, on a phone, in the dark and without
// JavaScript, update by themselves, and act. It has tests only. Without chromium on the PATH they
// are not run, and make test says so.
//
//	browser_test.go       the browser, and a tab that notes what no page may do
//	audit_test.go         what is wrong with a page for a person who looks, or uses the keyboard
//	installation_test.go  a sandbox with data and something wrong, and its console
//	pages_test.go         each page
//	act_test.go           what a person does there
//	screens_test.go       the screenshots of deploy/README.md: the flag -update writes them
package chromium
