package kubernetes

import (
	"strings"
	"testing"
)

// oneLine returns the error of a rendering without the lines that Helm puts before the first one
// about a value.
func oneLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if len(lines) == 3 && lines[1] == "wagewire:" {
		return strings.TrimPrefix(lines[2], "- ")
	}
	_, message, _ := strings.Cut(err.Error(), "): ") // the place in a template
	return message
}

func TestAWrongValueIsOneLine(t *testing.T) {
	for name, row := range map[string]struct {
		setting string
		want    string
	}{
		"a name that is not there":       {"truv.clientid=x", "at '/truv': additional properties 'clientid' not allowed"},
		"a name at the top":              {"worker={}", "at '': additional properties 'worker' not allowed"},
		"a worker that is not there":     {"workers.each.paystub={}", "at '/workers/each': additional properties 'paystub' not allowed"},
		"a text for a number":            {"autoscaling.maximum=many", "at '/autoscaling/maximum': got string, want integer"},
		"a number for a text":            {"image.tag=1.2", "at '/image/tag': got number, want string"},
		"a word out of a few":            {"log.level=loud", "at '/log/level': value must be one of 'debug', 'info', 'warn', 'error'"},
		"a rate of nothing":              {"pinwheel.ratePerSecond=0", "at '/pinwheel/ratePerSecond': exclusiveMinimum: got 0, want 0"},
		"a monitoring port with scheme":  {"nats.monitoring=http://nats:8222", "at '/nats/monitoring': 'http://nats:8222' does not match pattern '^$|^[^/:]+:[0-9]+$'"},
		"a digest that is none":          {"image.digests={link: latest}", "at '/image/digests/link': 'latest' does not match pattern '^$|^sha256:[0-9a-f]{64}$'"},
		"a digest of no image":           {"image.digests={links: ''}", "at '/image/digests': additional properties 'links' not allowed"},
		"no secret of keys":              {"keys.existingSecret=''", "at '/keys/existingSecret': '' does not match pattern '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'"},
		"a stream that is not ours":      {"provision.maxBytes={EVENTS: 20GiB}", "at '/provision/maxBytes': additional properties 'EVENTS' not allowed"},
		"an age of another such stream":  {"provision.maxAge={EVENTS: 1d}", "at '/provision/maxAge': additional properties 'EVENTS' not allowed"},
		"to shrink a stream of others":   {"provision.shrink=[EVENTS]", "at '/provision/shrink/0': 'EVENTS' does not match pattern '^(all|(KV_)?WAGEWIRE_[A-Z_]+)$'"},
		"an age without a unit":          {"pinwheel.signatureAgeMax=20", "at '/pinwheel/signatureAgeMax': maximum: got 20, want 0"},
		"a variable without a name":      {"extraEnv=[{value: x}]", "at '/extraEnv/0': missing property 'name'"},
		"a tag that no label can have":   {"image.tag=v1-", "at '/image/tag': 'v1-' does not match pattern '^([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$'"},
		"a text for a rate":              {"pinwheel.ratePerSecond=0.5/s", "at '/pinwheel/ratePerSecond': '0.5/s' does not match pattern '^([1-9][0-9]*([.][0-9]+)?|0[.][0-9]*[1-9][0-9]*)$'"},
		"a ladder that is none":          {"workers.retryLadder=30", "at '/workers/retryLadder': got number, want string"},
		"a worker killed before it ends": {"workers.terminationGracePeriodSeconds=20", "at '/workers/terminationGracePeriodSeconds': minimum: got 20, want 26"},

		"no broker": {"nats.enabled=false", "wagewire: nats.url is not set: set it to where NATS is, such as " +
			"nats://nats.nats.svc:4222, or set nats.enabled=true to try out"},
		"two brokers": {"nats.url=nats://nats:4222", "wagewire: nats.url and nats.enabled are both set: remove nats.url, or set nats.enabled=false"},
		"no monitoring port for KEDA": {"nats={url: 'nats://nats:4222'}", "wagewire: nats.monitoring is not set: set it to the monitoring " +
			"port for KEDA, such as nats-headless.nats.svc:8222, or set autoscaling.enabled=false for every worker"},
		"no monitoring port for one worker": {"nats={url: 'nats://nats:4222'}\nautoscaling={enabled: false}\n" +
			"workers.each.link.autoscaling.enabled=true", "wagewire: nats.monitoring is not set: set it to the monitoring " +
			"port for KEDA, such as nats-headless.nats.svc:8222, or set autoscaling.enabled=false for every worker"},
		"no client id": {"truv.clientId=''", "wagewire: truv.clientId is not set: set it to the client id of your Truv account, or set truv.enabled=false"},
		"no provider": {"truv={enabled: false}\npinwheel={enabled: false}", "wagewire: no provider is enabled: set pinwheel.enabled=true " +
			"or truv.enabled=true"},
		"a maximum under the minimum": {"autoscaling={minimum: 3, maximum: 2}", "wagewire: autoscaling.maximum of bank-accounts is 2: " +
			"it must be autoscaling.minimum or more, 3"},
		"a maximum of ingress under the minimum": {"ingress.autoscaling={minimum: 9}", "wagewire: ingress.autoscaling.maximum is 6: " +
			"it must be ingress.autoscaling.minimum or more, 9"},
		"an ingress killed before it ends": {"ingress.preStopSeconds=20", "wagewire: ingress.terminationGracePeriodSeconds is 30: " +
			"it must be ingress.preStopSeconds and 15 s more, 35"},
		"a policy for senders outside of a ClusterIP": {"ingress.service.externalTrafficPolicy=Local", "wagewire: ingress.service.externalTrafficPolicy " +
			"is set, and a ClusterIP has none: remove it, or set ingress.service.type=LoadBalancer"},
		"a route without a host": {"ingress.route.kind=Ingress", "wagewire: ingress.route.host is not set: set it to the name that the " +
			"providers call, or set ingress.route.kind to nothing"},
		"a console without a word about who reads": {"console={enabled: true}", "wagewire: nothing says who reads the console: set " +
			"console.tokens.existingSecret to a secret with tokens, console.trustedProxies to the proxy that names people, or console.anyoneReads=true"},
		"roles of groups without a proxy": {"console.roles=read=payroll", "wagewire: console.roles is set, and groups come from a proxy: set " +
			"console.trustedProxies to its addresses, or remove console.roles"},
		"a proxy without roles of groups": {"console={enabled: true, trustedProxies: 10.0.0.1}", "wagewire: console.roles is not set: set it to " +
			"the roles of the groups that the proxy names, such as read=payroll,act=payroll-ops"},
		"a role that is none":     {"console.roles=root=payroll", "at '/console/roles': 'root=payroll' does not match pattern '^$|^(read|act|reveal)=[^ ,=]+( *, *(read|act|reveal)=[^ ,=]+)*$'"},
		"a path before the pages": {"console.url=https://a.example.com/console", "at '/console/url': 'https://a.example.com/console' does not match pattern '^$|^https?://[^/ ?#@]+/?$'"},
		"a route of pages without a host": {"console.route.kind=Ingress", "wagewire: console.route.host is not set: set it to the host of " +
			"console.url, or set console.route.kind to nothing"},
		"a route of pages to another host": {"console.route={kind: Ingress, host: a.example.com}", "wagewire: console.url is \"\", and the route " +
			"is for a.example.com: set console.url=https://a.example.com, or the console answers no browser"},
		"a route of pages without a gateway": {"console.url=https://a.example.com:8443\nconsole.route={kind: HTTPRoute, host: a.example.com}",
			"wagewire: console.route.parentRefs is empty: name the gateway of the HTTPRoute"},
		"a route without a gateway": {"ingress.route={kind: HTTPRoute, host: a.example.com}", "wagewire: ingress.route.parentRefs is empty: name the gateway of the HTTPRoute"},
	} {
		t.Run(name, func(t *testing.T) {
			v := with(t, "trial", strings.Split(row.setting, "\n")...)
			for version, renderWith := range helms {
				_, err := renderWith(v)
				if err == nil {
					t.Fatalf("%s takes it", version)
				}
				if got := oneLine(err); got != row.want {
					t.Errorf("%s says\n  %s\nwant\n  %s", version, got, row.want)
				}
			}
		})
	}
}

func TestAMissingAPIIsOneLine(t *testing.T) {
	const cluster = "apiregistration.k8s.io/v1" // every API server has it
	every := []string{cluster, "keda.sh/v1alpha1", "monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1"}
	for name, row := range map[string]struct {
		values values
		apis   []string
		want   string
	}{
		"nothing with all of them":        {with(t, "production"), every, ""},
		"nothing without a cluster":       {with(t, "production"), nil, ""},
		"nothing about what is not asked": {with(t, "without-autoscaling"), []string{cluster}, ""},
		"KEDA": {with(t, "trial"), []string{cluster}, "wagewire: the cluster has no ScaledObject: install KEDA 2.20.2 or later, " +
			"or set autoscaling.enabled=false for every worker"},
		"the Prometheus operator": {with(t, "production"), []string{cluster, every[1], every[3]}, "wagewire: the cluster has no PodMonitor: " +
			"install the Prometheus operator, or set podMonitor.enabled=false"},
		"the Prometheus operator, for the alerts": {with(t, "without-autoscaling", "rules.enabled=true"), []string{cluster},
			"wagewire: the cluster has no PrometheusRule: install the Prometheus operator, or set rules.enabled=false"},
		"the Gateway API, for the console": {with(t, "production", "ingress.route={}"), every[:3], "wagewire: the cluster has no HTTPRoute: " +
			"install the Gateway API, or set console.route.kind=Ingress"},
		"the Gateway API": {with(t, "production"), every[:3], "wagewire: the cluster has no HTTPRoute: install the Gateway API, " +
			"or set ingress.route.kind=Ingress"},
	} {
		t.Run(name, func(t *testing.T) {
			for version, renderWith := range helms {
				_, err := renderWith(row.values, row.apis...)
				got := ""
				if err != nil {
					got = oneLine(err)
				}
				if got != row.want {
					t.Errorf("%s says\n  %s\nwant\n  %s", version, got, row.want)
				}
			}
		})
	}
}
