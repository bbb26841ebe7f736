// Package console serves pages about an installation, for people who look before typing:
// `wagewire console`. Persons with the role act can redrive, discard, release, pause and retry.
//
// # A request
//
//  1. guard.go: the Host is ours, a form comes from our own page (http.CrossOriginProtection), and
//     the answer has the headers that keep the page to itself.
//  2. routes.go: one table says for each address which role it needs, and which function answers.
//  3. access.go: who asks, and whether the person has the role: at this moment, at each request.
//  4. The function reads what it shows, and hands a value to a component of a .templ file.
//
// # The files
//
//	config.go    Config: the settings, and the refusals at the start
//	console.go   Console: New, Handler, Run
//	routes.go    the table of addresses
//	guard.go     the duties of every request and answer; limits.go: how long each may take
//	access.go    persons and roles; tokens.go: the file of tokens; session.go: who has logged in
//	audit.go     a log line for each action, and for each look at records
//	watch.go     the state of the installation, read again and again; sample.go: its recent past
//	live.go      "changed" to open pages, over server-sent events
//	layout.templ the frame of each page; words.go: numbers and times on pages
//	overview     the first page: the verdict, and all faults
//	finding      the meaning of a finding, and the cure; runbook.go: parts of the runbook's text
//	feed         the newest completions: feed.go reads them while somebody looks, and feed_page.go
//	             chooses and shows
//	queue        all queues, and one; act.go: pause and resume; result.go: the effect; retry.go
//	provider     the facts of each provider; team: the subscribers, and how far behind each is
//	event        one event's life as a timeline; account: the state and the messages of an account
//	board.go     filters and pages of the lists of dead letters and of the quarantine
//	dead         dead letters, and one; quarantine: webhooks in quarantine, and one
//	run.go       a run: a plan, and then exactly the planned messages; run_view.go: its page
//	runs.go      the runs of this process, and the forms about runs; work.go: the work of a run
//	search       from a name to a page; how many pages and searches ask the broker at a time
//	reveal       records and bodies, for a person with a reason
//	address.go   the addresses of pages
//	static/      the style, htmx, and live.js: a notice on a page that hears of no changes
//
// # The content of a page
//
// The console judges nothing. Packages health, trace, find and shelf compute the facts for pages
// and commands, so a page and a command never disagree.
//
// Pages show accounts and events by their ids and tokens, as subjects and logs do. Records and
// bodies are shown only with Config.Reveal, to a person with the role reveal who gives a reason,
// and the log says who and why before the first byte is shown.
//
// Whatever comes from outside passes package plain first: HTML is escaped by the components, and
// plain makes characters that control a terminal or the direction of text visible.
//
// # A run
//
// Whatever is done to many messages is a run. It belongs to the console, not to a request: the
// person may close the page. Only one run at a time has a message of a shelf in hand, so that the
// reports of two people who redrive the same letters are exact.
//
//	planning ──▶ planned ──▶ running ──▶ done
//	    │           │ └ after 15 minutes ─▶ expired
//	    └───────────┴───────────┴─▶ cancelled by a person; stopped by an error, a lost role,
//	                                or the end of the console
//
// # The libraries
//
// Components are written with templ, and the generated Go files are committed: `make generate`.
// With html/template the command would be 22.8 MB, over the 20 MB of an image, because
// text/template calls methods by name and the linker must keep every method. htmx reloads a part of
// an open page when the server says that something changed. Without JavaScript every page reads,
// and every form works.
//
// # One process
//
// Sessions and plans are in memory: after a restart people log in again, and a plan is made anew.
// Nothing is done twice by that: see package shelf.
package console
