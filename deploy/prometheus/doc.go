// Package prometheus has the alert rules of Wagewire, their tests, and a configuration of
// Prometheus for docker-compose.yml. The module is outside of go.work: the libraries of Prometheus
// would change the versions of the line.
//
//	rules.go         writes rules.yml: alerts on findings, and on what Prometheus alone sees
//	rules.yml        the rules, generated; the chart has a copy
//	prometheus.yml   what Prometheus scrapes in the stack of docker-compose.yml
//
// The thresholds of findings are in deploy/health, and in no rule. So an alert and the screen of
// wagewire status never disagree.
package prometheus

//go:generate go test . -run TestRulesAreCurrent -count=1 -update
