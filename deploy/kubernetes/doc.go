// Package kubernetes has the Helm chart of Wagewire and its tests. README.md says how to install
// the chart. The module is for tests only, and outside of go.work: the libraries of Helm and of
// Kubernetes would change the versions of the line.
//
// The tests render the chart with the libraries of Helm 4 and Helm 3, for every file in
// testdata/values, and decode each object into its type without unknown fields. They judge the
// objects as a cluster would: Pod Security by the library of the API server, formulas by KEDA's own
// check. They also compare the chart with the code: the queues with schema, the variables with
// those of each process, the time to stop with the limits of each process.
//
//	chart/files/queues.yaml    the queues of each worker, generated from schema
//	chart/files/*.conf         the broker's configuration, copied from ../nats
//	chart/files/rules.yaml     the alert rules, copied from ../prometheus
package kubernetes

//go:generate go test . -run TestGenerated -count=1 -update
