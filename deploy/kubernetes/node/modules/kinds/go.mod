// The kinds of the Gateway API and of the Prometheus operator, for the API server of the tests. No code
// of these modules is built.
module github.com/wagewire/wagewire/node/kinds

go 1.26.0

require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.6.3
)
