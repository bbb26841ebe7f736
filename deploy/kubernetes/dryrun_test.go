//go:build apiserver

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// server is an API server that judges objects and stores none.
type server struct {
	objects   dynamic.Interface
	mapper    meta.RESTMapper
	warnings  *warnings
	namespace string
}

// newServer returns the API server of KUBECONFIG, with a new namespace in which Pod Security is
// restricted.
func newServer(t *testing.T) *server {
	t.Helper()
	said := &warnings{}
	config := clientConfig(t)
	config.WarningHandler = said
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(found)
	if err != nil {
		t.Fatalf("asking the API server of KUBECONFIG for its kinds: %v", err)
	}
	return &server{
		objects: objects, mapper: restmapper.NewDiscoveryRESTMapper(groups), warnings: said,
		namespace: makeNamespace(t, objects),
	}
}

func clientConfig(t *testing.T) *rest.Config {
	t.Helper()
	file := os.Getenv("KUBECONFIG")
	if file == "" {
		t.Fatal("KUBECONFIG is not set: run make test/apiserver, or set it to the file of a cluster")
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatalf("reading KUBECONFIG: %v", err)
	}
	// The default limit of five requests a second is for programs that run for long.
	config.QPS = -1
	return config
}

// makeNamespace makes a namespace, because a dry run needs one. It is deleted after the test.
func makeNamespace(t *testing.T, objects dynamic.Interface) string {
	t.Helper()
	namespaces := objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	made, err := namespaces.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "Namespace",
		"metadata": map[string]any{
			"generateName": "wagewire-",
			"labels": map[string]any{
				"pod-security.kubernetes.io/enforce": "restricted",
				"pod-security.kubernetes.io/warn":    "restricted",
			},
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("making a namespace: %v", err)
	}
	t.Cleanup(func() {
		err := namespaces.Delete(context.WithoutCancel(t.Context()), made.GetName(),
			metav1.DeleteOptions{})
		if err != nil {
			t.Errorf("deleting the namespace of the test: %v", err)
		}
	})
	return made.GetName()
}

// send returns why the API server refuses an object, or nil. A warning is a refusal too, because
// the server only warns of a Deployment whose pods would be refused.
func (s *server) send(ctx context.Context, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = s.objects.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		object.SetNamespace(s.namespace)
		resource = s.objects.Resource(mapping.Resource).Namespace(s.namespace)
	}
	_, err = resource.Create(ctx, object, metav1.CreateOptions{
		DryRun:          []string{metav1.DryRunAll},
		FieldValidation: metav1.FieldValidationStrict,
	})
	return errors.Join(err, s.warnings.take())
}

// warnings collects the warnings of an API server.
type warnings struct {
	mu  sync.Mutex
	all []error
}

// HandleWarningHeader is called by client-go for each warning of a response.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, fmt.Errorf("warning: %s", text))
}

// take returns the warnings since the last call, or nil.
func (w *warnings) take() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := errors.Join(w.all...)
	w.all = nil
	return taken
}

// judge returns why the API server refuses the object of a YAML document, or nil.
func (s *server) judge(t *testing.T, document []byte) error {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &object.Object); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	if err := s.send(t.Context(), object); err != nil {
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

func TestTheAPIServerTakesEveryRendering(t *testing.T) {
	s := newServer(t)
	for _, file := range valuesFiles(t) {
		t.Run(file, func(t *testing.T) {
			templates, err := renderWithHelm4(with(t, file))
			if err != nil {
				t.Fatal(err)
			}
			judged := 0
			for name, text := range templates {
				if strings.HasSuffix(name, "NOTES.txt") {
					continue
				}
				found, err := documents(text)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, document := range found {
					judged++
					if err := s.judge(t, document); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
			if judged == 0 {
				t.Error("the rendering has no object")
			}
		})
	}
}

// TestTheAPIServerRefuses shows that the test above can fail, and that the server knows the kinds
// of the other projects.
func TestTheAPIServerRefuses(t *testing.T) {
	s := newServer(t)
	for promise, row := range map[string]struct{ object, says string }{
		"a field that the kind does not have": {says: `unknown field "data"`, object: `
apiVersion: v1
kind: Service
metadata: {name: a}
data: {a: b}
spec: {ports: [{port: 80}]}`},
		"a value out of its range": {says: "spec.ports[0].port", object: `
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {ports: [{port: 100000}]}`},
		"a kind that nobody has": {says: "no matches for kind", object: `
apiVersion: example.com/v1
kind: A
metadata: {name: a}`},
		"a Deployment whose pods have too many rights": {says: "would violate PodSecurity", object: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: a, image: a}]}`},
		"a behaviour that KEDA does not have": {says: "spec.fallback.behavior", object: `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: a}
spec:
  scaleTargetRef: {name: a}
  triggers: []
  fallback: {failureThreshold: 1, replicas: 1, behavior: none}`},
		"a route to a port out of its range": {says: "port", object: `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a}
spec: {rules: [{backendRefs: [{name: a, port: 100000}]}]}`},
		"a field that a PodMonitor does not have": {says: `unknown field "spec.endpoints"`, object: `
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: a}
spec: {selector: {}, podMetricsEndpoints: [], endpoints: []}`},
	} {
		t.Run(promise, func(t *testing.T) {
			err := s.judge(t, []byte(row.object))
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("the server says %v: want %q", err, row.says)
			}
		})
	}
}
