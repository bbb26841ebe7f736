// Package grafana has the dashboards of Wagewire, written in Go, and a provisioning of Grafana for
// docker-compose.yml.
//
//	wagewire.go      the wall screen: findings first, then providers, the line, storage, teams
//	freshness.go     how soon webhooks are completed, with the provider's time apart from ours
//	panel.go         the kinds of panels
//	dashboards/      the dashboards as JSON, generated; any Grafana imports them
//	provisioning/    the data source and the dashboards in the stack of docker-compose.yml
package grafana

//go:generate go test . -run TestDashboardsAreCurrent -count=1 -update
