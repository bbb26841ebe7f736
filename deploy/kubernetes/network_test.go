package kubernetes

import (
	"slices"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// peer is one end of a connection: a pod of the release by its component, or a pod of another
// namespace, or an address outside of the cluster if both are empty.
type peer struct{ component, namespace string }

// network judges connections by the NetworkPolicies of a rendering.
type network struct {
	policies []*networking.NetworkPolicy
	pods     map[string]pod
}

// port is a port of a protocol. TCP is the protocol of a port without one.
type port struct {
	number   int32
	protocol core.Protocol
}

func tcp(number int32) port { return port{number, core.ProtocolTCP} }
func udp(number int32) port { return port{number, core.ProtocolUDP} }

// allows reports whether one peer can open a connection to a port of another peer: the policies of
// the one must let it out, and those of the other must let it in.
func (n network) allows(from, to peer, at port) bool {
	return n.letsOut(from, to, at) && n.letsIn(from, to, at)
}

func (n network) letsOut(from, to peer, at port) bool {
	limited := false
	for _, p := range n.of(from, networking.PolicyTypeEgress) {
		limited = true
		for _, rule := range p.Spec.Egress {
			if hasPolicyPort(rule.Ports, at) && n.isAmong(to, rule.To) {
				return true
			}
		}
	}
	return !limited
}

func (n network) letsIn(from, to peer, at port) bool {
	limited := false
	for _, p := range n.of(to, networking.PolicyTypeIngress) {
		limited = true
		for _, rule := range p.Spec.Ingress {
			if hasPolicyPort(rule.Ports, at) && n.isAmong(from, rule.From) {
				return true
			}
		}
	}
	return !limited
}

// of returns the policies of a type that select a pod.
func (n network) of(p peer, kind networking.PolicyType) []*networking.NetworkPolicy {
	var found []*networking.NetworkPolicy
	for _, policy := range n.policies {
		if p.component != "" && slices.Contains(policy.Spec.PolicyTypes, kind) &&
			matches(&policy.Spec.PodSelector, n.pods[p.component].labels) {
			found = append(found, policy)
		}
	}
	return found
}

// isAmong reports whether a rule with these peers is about the peer. No peers are everybody.
func (n network) isAmong(p peer, peers []networking.NetworkPolicyPeer) bool {
	if len(peers) == 0 {
		return true
	}
	return slices.ContainsFunc(peers, func(of networking.NetworkPolicyPeer) bool {
		if of.NamespaceSelector != nil {
			name := map[string]string{"kubernetes.io/metadata.name": p.namespace}
			return p.namespace != "" && matches(of.NamespaceSelector, name)
		}
		return p.component != "" && matches(of.PodSelector, n.pods[p.component].labels)
	})
}

func matches(selector *metav1.LabelSelector, has map[string]string) bool {
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && matcher.Matches(labels.Set(has))
}

func hasPolicyPort(ports []networking.NetworkPolicyPort, at port) bool {
	return slices.ContainsFunc(ports, func(p networking.NetworkPolicyPort) bool {
		protocol := core.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		return port{p.Port.IntVal, protocol} == at
	})
}

func TestTheNetworkAllowsWhatIsNeededAndNoMore(t *testing.T) {
	stranger := peer{namespace: "somebody"}
	internet := peer{}
	prometheus := peer{namespace: "monitoring"}
	pod := func(component string) peer { return peer{component: component} }
	type connection struct {
		from, to peer
		at       port
		want     bool
	}
	for name, row := range map[string]struct {
		values values
		want   map[string]connection
	}{
		"for trying out": {with(t, "trial"), map[string]connection{
			"webhooks come from everywhere":               {internet, pod("ingress"), tcp(8080), true},
			"the fakes send webhooks":                     {pod("providers"), pod("ingress"), tcp(8080), true},
			"ingress publishes":                           {pod("ingress"), pod("nats"), tcp(4222), true},
			"a worker takes events":                       {pod("paystubs"), pod("nats"), tcp(4222), true},
			"a worker calls the fakes":                    {pod("link"), pod("providers"), tcp(8081), true},
			"the worker of accounts reads completions":    {pod("accounts"), pod("nats"), tcp(4222), true},
			"the worker of accounts calls no provider":    {pod("accounts"), pod("providers"), tcp(8081), false},
			"the worker of notices calls no provider":     {pod("notices"), pod("providers"), tcp(8081), false},
			"the worker of notices takes events":          {pod("notices"), pod("nats"), tcp(4222), true},
			"the worker of accounts asks for names":       {pod("accounts"), peer{namespace: "kube-system"}, udp(53), true},
			"Prometheus reads metrics of accounts":        {prometheus, pod("accounts"), tcp(9090), true},
			"accounts does not ask the monitoring port":   {pod("accounts"), pod("nats"), tcp(8222), false},
			"accounts calls nobody outside":               {pod("accounts"), internet, tcp(443), false},
			"a stranger reads no metrics of accounts":     {stranger, pod("accounts"), tcp(9090), false},
			"provision makes streams":                     {pod("provision"), pod("nats"), tcp(4222), true},
			"provision asks what KEDA asks":               {pod("provision"), pod("nats"), tcp(8222), true},
			"the operator's command reaches the broker":   {pod("tool"), pod("nats"), tcp(4222), true},
			"the exporter reads the broker":               {pod("metrics"), pod("nats"), tcp(4222), true},
			"the exporter asks no monitoring port":        {pod("metrics"), pod("nats"), tcp(8222), false},
			"the exporter calls nobody outside":           {pod("metrics"), internet, tcp(443), false},
			"the console reads the broker":                {pod("console"), pod("nats"), tcp(4222), true},
			"the console asks no monitoring port":         {pod("console"), pod("nats"), tcp(8222), false},
			"the console calls nobody outside":            {pod("console"), internet, tcp(443), false},
			"nobody opens the console unasked":            {stranger, pod("console"), tcp(8090), false},
			"no worker opens the console":                 {pod("paystubs"), pod("console"), tcp(8090), false},
			"Prometheus reads metrics of the console":     {prometheus, pod("console"), tcp(9090), true},
			"Prometheus opens no pages":                   {prometheus, pod("console"), tcp(8090), false},
			"Prometheus reads the exporter":               {prometheus, pod("metrics"), tcp(9090), true},
			"a stranger does not read the exporter":       {stranger, pod("metrics"), tcp(9090), false},
			"KEDA counts ready work":                      {peer{namespace: "keda"}, pod("nats"), tcp(8222), true},
			"KEDA reads no messages":                      {peer{namespace: "keda"}, pod("nats"), tcp(4222), false},
			"Prometheus reads metrics of ingress":         {prometheus, pod("ingress"), tcp(9090), true},
			"Prometheus reads metrics of a worker":        {prometheus, pod("income"), tcp(9090), true},
			"Prometheus reads metrics of NATS":            {prometheus, pod("nats"), tcp(8222), true},
			"a stranger reads no metrics":                 {stranger, pod("income"), tcp(9090), false},
			"a stranger reads no metrics of NATS":         {stranger, pod("nats"), tcp(8222), false},
			"a stranger reads no messages":                {stranger, pod("nats"), tcp(4222), false},
			"a stranger does not control the fakes":       {stranger, pod("providers"), tcp(8081), false},
			"the fakes do not reach the broker":           {pod("providers"), pod("nats"), tcp(4222), false},
			"a worker does not ask the monitoring port":   {pod("paystubs"), pod("nats"), tcp(8222), false},
			"a worker sends no webhooks":                  {pod("paystubs"), pod("ingress"), tcp(8080), false},
			"ingress calls nobody outside":                {pod("ingress"), internet, tcp(443), false},
			"a worker of the fakes calls nobody outside":  {pod("paystubs"), internet, tcp(443), false},
			"everybody asks for names":                    {pod("providers"), peer{namespace: "kube-system"}, udp(53), true},
			"also for long answers":                       {pod("providers"), peer{namespace: "kube-system"}, tcp(53), true},
			"nobody sends datagrams to the broker":        {pod("ingress"), pod("nats"), udp(4222), false},
			"nobody asks the network for something else":  {pod("paystubs"), internet, tcp(80), false},
			"the broker opens no connection":              {pod("nats"), internet, tcp(443), false},
			"the workers do not talk to each other":       {pod("paystubs"), pod("income"), tcp(9090), false},
			"teams are not let in before they are listed": {peer{namespace: "lending"}, pod("nats"), tcp(4222), false},
		}},
		"with a broker and providers elsewhere": {with(t, "production"), map[string]connection{
			"a worker calls the provider":             {pod("paystubs"), internet, tcp(443), true},
			"a worker takes events":                   {pod("paystubs"), peer{namespace: "nats"}, tcp(4222), true},
			"also from a second server":               {pod("paystubs"), peer{namespace: "nats"}, tcp(4223), true},
			"accounts reads completions":              {pod("accounts"), peer{namespace: "nats"}, tcp(4222), true},
			"accounts calls no provider":              {pod("accounts"), internet, tcp(443), false},
			"notices calls no provider":               {pod("notices"), internet, tcp(443), false},
			"the backfill calls the provider":         {pod("backfill"), internet, tcp(443), true},
			"the backfill stores events":              {pod("backfill"), peer{namespace: "nats"}, tcp(4222), true},
			"a worker has no other port":              {pod("paystubs"), peer{namespace: "nats"}, tcp(4224), false},
			"ingress publishes":                       {pod("ingress"), peer{namespace: "nats"}, tcp(4222), true},
			"ingress does not call the provider":      {pod("ingress"), internet, tcp(443), false},
			"traces go to the collector":              {pod("ingress"), peer{namespace: "observability"}, tcp(4317), true},
			"provision asks what KEDA asks":           {pod("provision"), peer{namespace: "nats"}, tcp(8222), true},
			"the proxy opens the console":             {peer{namespace: "gateways"}, pod("console"), tcp(8090), true},
			"nobody else opens the console":           {stranger, pod("console"), tcp(8090), false},
			"the console reads the broker":            {pod("console"), peer{namespace: "nats"}, tcp(4222), true},
			"the console does not call the provider":  {pod("console"), internet, tcp(443), false},
			"webhooks come from the gateway":          {peer{namespace: "gateways"}, pod("ingress"), tcp(8080), true},
			"webhooks come from nowhere else":         {stranger, pod("ingress"), tcp(8080), false},
			"webhooks come not from outside directly": {internet, pod("ingress"), tcp(8080), false},
		}},
		"with a provider's URL of its own": {with(t, "truv-only"), map[string]connection{
			"a worker calls its port":       {pod("link"), internet, tcp(8443), true},
			"a worker calls no other port":  {pod("link"), internet, tcp(443), false},
			"a worker reaches the broker":   {pod("link"), peer{namespace: "nats"}, tcp(4222), true},
			"ingress does not call outside": {pod("ingress"), internet, tcp(8443), false},
		}},
		"with a provider's URL without a port": {with(t, "production", "pinwheel.url=http://pinwheel.example.com"), map[string]connection{
			"a worker calls the port of http":        {pod("paystubs"), internet, tcp(80), true},
			"a worker calls the other provider":      {pod("link"), internet, tcp(443), true},
			"ingress does not call the port of http": {pod("ingress"), internet, tcp(80), false},
		}},
		"with a collector at https": {with(t, "production", "tracing.endpoint=https://otlp.example.com"), map[string]connection{
			"traces go to the port of https": {pod("ingress"), internet, tcp(443), true},
			"traces go nowhere else":         {pod("ingress"), internet, tcp(4318), false},
		}},
		"with a broker over WebSocket": {with(t, "production", "nats.url=wss://user:1234@a.example.com,ws://b.example.com"), map[string]connection{
			"ingress calls the port of wss":          {pod("ingress"), internet, tcp(443), true},
			"ingress calls the port of ws":           {pod("ingress"), internet, tcp(80), true},
			"a password is no port":                  {pod("ingress"), internet, tcp(1234), false},
			"ingress does not call the port of NATS": {pod("ingress"), internet, tcp(4222), false},
		}},
		"with peers of the operator's": {with(t, "overrides"), map[string]connection{
			"every pod has the further rules": {pod("ingress"), internet, tcp(3128), true},
			"nobody reads metrics":            {prometheus, pod("income"), tcp(9090), false},
			"the backfill calls the fakes":    {pod("backfill"), pod("providers"), tcp(8081), true},
			"the broker lets the backfill in": {pod("backfill"), pod("nats"), tcp(4222), true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := render(t, row.values)
			n := network{of[*networking.NetworkPolicy](r), podsOf(t, r)}
			for promise, c := range row.want {
				if got := n.allows(c.from, c.to, c.at); got != c.want {
					t.Errorf("broken promise: %s: allowed is %t", promise, got)
				}
			}
		})
	}
}

func TestEveryPolicySelectsPods(t *testing.T) {
	onEveryRendering(t, func(t *testing.T, r rendering, pods map[string]pod) {
		for _, p := range of[*networking.NetworkPolicy](r) {
			if len(selected(t, &p.Spec.PodSelector, pods)) == 0 && p.Name != "wagewire-to-monitoring" {
				t.Errorf("%s selects no pods", p.Name)
			}
		}
	})
}
