package kubernetes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	chartutil3 "helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

const (
	chartDir    = "chart"
	valuesDir   = "testdata/values"
	releaseName = "wagewire"
	namespace   = "payroll"
)

// values are the values of a rendering, as a file of values has them.
type values = map[string]any

// valuesFiles returns the names of the files in testdata/values, without their ending.
func valuesFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(valuesDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no values in %s: %v", valuesDir, err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".yaml")
	}
	return files
}

func readYAML(t *testing.T, file string) values {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	read := values{}
	if err := yaml.UnmarshalStrict(text, &read); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return read
}

// with returns the values of a file in testdata/values with further settings. A setting is
// path=value, as helm's --set has it; the value is YAML.
func with(t *testing.T, file string, settings ...string) values {
	t.Helper()
	v := readYAML(t, filepath.Join(valuesDir, file+".yaml"))
	for _, setting := range settings {
		path, text, ok := strings.Cut(setting, "=")
		if !ok {
			t.Fatalf("%q is not path=value", setting)
		}
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		set(v, strings.Split(path, "."), value)
	}
	return v
}

// set sets a value below a path of names.
func set(v values, path []string, value any) {
	if len(path) == 1 {
		v[path[0]] = value
		return
	}
	inner, ok := v[path[0]].(values)
	if !ok {
		inner = values{}
		v[path[0]] = inner
	}
	set(inner, path[1:], value)
}

// helm renders the chart's templates for a cluster with the further APIs. Keys are the templates.
type helm func(v values, apis ...string) (map[string]string, error)

// helms are the versions of Helm that render the chart.
var helms = map[string]helm{"Helm 4": renderWithHelm4, "Helm 3": renderWithHelm3}

func renderWithHelm4(v values, apis ...string) (map[string]string, error) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.APIVersions = append(capabilities.APIVersions, apis...)
	options := common.ReleaseOptions{
		Name: releaseName, Namespace: namespace, Revision: 1, IsInstall: true,
	}
	all, err := util.ToRenderValues(chart, v, options, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

func renderWithHelm3(v values, apis ...string) (map[string]string, error) {
	chart, err := loader3.Load(chartDir)
	if err != nil {
		return nil, err
	}
	capabilities := chartutil3.DefaultCapabilities.Copy()
	capabilities.APIVersions = append(capabilities.APIVersions, apis...)
	options := chartutil3.ReleaseOptions{
		Name: releaseName, Namespace: namespace, Revision: 1, IsInstall: true,
	}
	all, err := chartutil3.ToRenderValues(chart, v, options, capabilities)
	if err != nil {
		return nil, err
	}
	return engine3.Render(chart, all)
}

// rendering is the typed objects of a rendering, and its notes.
type rendering struct {
	objects []runtime.Object
	notes   string
}

// render renders and decodes the chart.
func render(t *testing.T, v values) rendering {
	t.Helper()
	r, err := decode(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// renderFile renders and decodes the chart with a file in testdata/values. Tests share the objects
// and change none.
func renderFile(t *testing.T, file string) rendering {
	t.Helper()
	v := with(t, file)
	known, _ := renderings.LoadOrStore(file, sync.OnceValues(func() (rendering, error) {
		return decode(v)
	}))
	r, err := known.(func() (rendering, error))()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// renderings are the renderings of renderFile by file: each takes a third of a second.
var renderings sync.Map

func decode(v values) (rendering, error) {
	templates, err := renderWithHelm4(v)
	if err != nil {
		return rendering{}, err
	}
	var r rendering
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			r.notes = templates[name]
			continue
		}
		found, err := documents(templates[name])
		if err != nil {
			return rendering{}, fmt.Errorf("%s: %w", name, err)
		}
		for _, document := range found {
			object, _, err := strictDecoder().Decode(document, nil, nil)
			if err != nil {
				return rendering{}, fmt.Errorf("%s: %w in\n%s", name, err, document)
			}
			r.objects = append(r.objects, object)
		}
	}
	return r, nil
}

// strictDecoder decodes the objects of Kubernetes and of the APIs that the chart uses. A field that
// the type does not have, or has twice, is an error.
var strictDecoder = sync.OnceValue(func() runtime.Decoder {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, keda.AddToScheme, gateway.Install, monitoring.AddToScheme,
	} {
		if err := add(known); err != nil {
			panic(err) // two types have one name
		}
	}
	return serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
})

// documents returns the YAML documents of a template, without those that have comments only.
func documents(text string) ([][]byte, error) {
	var found [][]byte
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var content any
		if err := yaml.Unmarshal(document, &content); err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		if content != nil {
			found = append(found, document)
		}
	}
}

// of returns the objects of a type.
func of[T runtime.Object](r rendering) []T {
	var found []T
	for _, object := range r.objects {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

func TestHelm3And4RenderTheSameEachTime(t *testing.T) {
	for _, file := range valuesFiles(t) {
		t.Run(file, func(t *testing.T) {
			v := with(t, file)
			want, err := renderWithHelm4(v)
			if err != nil {
				t.Fatal(err)
			}
			for version, renderAgain := range helms {
				got, err := renderAgain(v)
				if err != nil {
					t.Fatalf("%s: %v", version, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s renders otherwise (-first +again)\n%s", version, diff)
				}
			}
		})
	}
}

func TestEveryObjectIsOfTheRelease(t *testing.T) {
	for _, file := range valuesFiles(t) {
		t.Run(file, func(t *testing.T) {
			v := with(t, file)
			seen := map[string]bool{}
			for _, object := range renderFile(t, file).objects {
				meta := metaOf(t, object)
				kind := object.GetObjectKind().GroupVersionKind().Kind
				id := kind + " " + meta.GetName()
				if seen[id] {
					t.Errorf("%s: there are two", id)
				}
				seen[id] = true
				for promise, holds := range map[string]bool{
					"the name begins with the release's, or is given": kind == "ServiceAccount" ||
						strings.HasPrefix(meta.GetName(), releaseName+"-"),
					"the namespace is the release's": meta.GetNamespace() == namespace,
					"the labels name the release": meta.GetLabels()["app.kubernetes.io/instance"] ==
						releaseName,
					"the labels name the version":     meta.GetLabels()["app.kubernetes.io/version"] != "",
					"the extra labels are there":      hasTexts(meta.GetLabels(), v["extraLabels"]),
					"the extra annotations are there": hasTexts(meta.GetAnnotations(), v["extraAnnotations"]),
					"it is no hook":                   !hasPrefix(meta.GetAnnotations(), "helm.sh/"),
					"it is no hook of Argo CD either": !hasPrefix(meta.GetAnnotations(), "argocd.argoproj.io/hook"),
				} {
					if !holds {
						t.Errorf("%s: broken promise: %s", id, promise)
					}
				}
			}
		})
	}
}

// hasTexts reports whether have has the wanted texts, a map of values.
func hasTexts(have map[string]string, want any) bool {
	texts, _ := want.(values)
	for name, value := range texts {
		if have[name] != fmt.Sprint(value) {
			return false
		}
	}
	return true
}

func hasPrefix(have map[string]string, prefix string) bool {
	for name := range have {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
