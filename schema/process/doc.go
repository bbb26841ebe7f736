// Package process holds the parts of every Wagewire process: configuration from the environment,
// secret files, the logger, the admin listener with health and metrics, traces, and the version.
// The package is below schema because ingress and workers share no other module.
//
//	config.go   ReadConfig: a struct from environment variables, and tables of the variables
//	secret.go   SecretFile: signing keys and API secrets, read again after a change
//	demo.go     ProviderURL: no key of the demonstration and no http:// beside a real host
//	log.go      Logger: zap, as JSON with buffered lines or for a terminal
//	memory.go   TuneMemory: how often the garbage collector runs, and up to which limit
//	admin.go    Admin: /livez, /readyz and /metrics; Serve: an HTTP server with an orderly end
//	console.go  Console: the addresses of the pages that alerts, log lines and commands link to
//	health.go   Healthcheck: a question to the /readyz of the process in the same container
//	tracing.go  Tracing: spans over OTLP
//	span.go     spans about messages, and trace contexts on the wire
//	version.go  Version
//	roots.go    certificate authorities and time zones for images without a system
//
// # Libraries
//
// caarlos0/env parses the environment, zap logs, client_golang serves metrics, otel sends spans,
// and x/term recognizes a terminal. Five parts are written here:
//
//   - Errors and tables of variables: caarlos0/env names struct fields in its errors, and has no
//     help texts. An operator knows only the variable.
//   - SecretFile: a watcher such as fsnotify misses changes when Docker or Kubernetes replaces a
//     mounted file or its directory. One stat before each use, a comparison of the content once a
//     second, and another whenever no secret fits, miss none.
//   - Admin: health libraries run lists of checks in the background. A process here has one check,
//     and answers with its result of this moment.
//   - Healthcheck: an image has no shell and no curl, and the check is one HTTP request.
//   - Serve: net/http already ends connections in order. Serve only adds the time limit.
package process
