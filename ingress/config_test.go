package ingress

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

func TestConfigFromEnv(t *testing.T) {
	// config is the configuration of an empty environment, changed.
	config := func(change func(c *Config)) Config {
		c := Config{Addr: ":8080", Providers: map[schema.Provider]ProviderConfig{
			schema.Pinwheel: {SignatureAgeMax: 20 * time.Minute},
			schema.Truv:     {},
		}}
		change(&c)
		return c
	}
	for name, row := range map[string]struct {
		env  map[string]string
		want Config
	}{
		"an empty environment leaves the defaults": {nil, config(func(*Config) {})},
		"an empty list of proxies trusts nobody": {
			map[string]string{"TRUSTED_PROXIES": ""}, config(func(*Config) {}),
		},
		"every variable is read": {
			map[string]string{
				"TRUSTED_PROXIES":            "10.0.0.0/8",
				"INGRESS_ADDR":               ":1",
				"ADMIN_ADDR":                 ":2",
				"PINWHEEL_SECRETS_FILE":      "p",
				"TRUV_SECRETS_FILE":          "t",
				"PINWHEEL_SIGNATURE_AGE_MAX": "90s",
			},
			config(func(c *Config) {
				c.Addr = ":1"
				c.TrustedProxies = trust(t, "10.0.0.0/8")
				c.AdminAddr = ":2"
				c.DrainFor = 2 * time.Second
				c.Providers[schema.Pinwheel] = ProviderConfig{
					SecretsFile: "p", SignatureAgeMax: 90 * time.Second,
				}
				c.Providers[schema.Truv] = ProviderConfig{SecretsFile: "t"}
			}),
		},
		"an age of 0 turns the check of age off": {
			map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "0"},
			config(func(c *Config) { c.Providers[schema.Pinwheel] = ProviderConfig{} }),
		},
		"a provider that signs no time has no age": {
			map[string]string{"TRUV_SIGNATURE_AGE_MAX": "90s"},
			config(func(*Config) {}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ConfigFromEnv(func(key string) string { return row.env[key] })
			if err != nil {
				t.Fatal(err)
			}
			prefixes := cmpopts.EquateComparable(netip.Prefix{})
			if diff := cmp.Diff(row.want, got, prefixes); diff != "" {
				t.Errorf("the configuration differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigFromEnvRefusesAnAge(t *testing.T) {
	for name, age := range map[string]string{
		"without a unit":    "20",
		"below zero":        "-1m",
		"of no number":      "long",
		"too long to count": "9999999h",
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": age}
			_, err := ConfigFromEnv(func(key string) string { return env[key] })
			expectError(t, err, `PINWHEEL_SIGNATURE_AGE_MAX: "`+age+`" is not a duration`)
		})
	}
}

func TestConfigFromEnvRefusesByTheNameOfTheVariable(t *testing.T) {
	demo := secretFile(t, "sandbox-truv-secret") // stands for any key of the demonstration
	for name, row := range map[string]struct {
		env map[string]string
		err string
	}{
		"a path with a line end of Windows": {
			map[string]string{"TRUV_SECRETS_FILE": "t\r"},
			"TRUV_SECRETS_FILE: the value ends with a carriage return",
		},
		"a URL in quotes": {
			map[string]string{"TRUV_URL": `"https://prod.truv.com"`},
			"TRUV_URL: the value has quotes around it",
		},
		"an age with a blank": {
			map[string]string{"PINWHEEL_SIGNATURE_AGE_MAX": "20m "},
			"PINWHEEL_SIGNATURE_AGE_MAX: the value begins or ends with a blank",
		},
		"the demonstration's key for the broker, with a real host": {
			map[string]string{
				"TRUV_SECRETS_FILE": "t", "TRUV_URL": "https://prod.truv.com", "NATS_CREDS_FILE": demo,
			},
			"NATS_CREDS_FILE: " + demo + ": the demonstration's keys are public",
		},
		"the demonstration's key for the broker, with the default host": {
			map[string]string{"PINWHEEL_SECRETS_FILE": "p", "NATS_CREDS_FILE": demo},
			"NATS_CREDS_FILE: " + demo + ": the demonstration's keys are public",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ConfigFromEnv(func(key string) string { return row.env[key] })
			expectError(t, err, row.err)
		})
	}
}

func TestVariablesAreThoseThatConfigFromEnvReads(t *testing.T) {
	asked := map[string]bool{}
	env := map[string]string{}
	for _, v := range Variables() {
		env[v.Name] = v.Default
	}
	got, err := ConfigFromEnv(func(key string) string {
		asked[key] = true
		return env[key]
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := ConfigFromEnv(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the listed defaults differ from an empty environment (-want +got):\n%s", diff)
	}
	for name := range env {
		if !asked[name] {
			t.Errorf("%s is listed and not read", name)
		}
	}
	for _, p := range schema.Providers() {
		for _, name := range []string{"SECRETS_FILE", "URL", "SIGNATURE_AGE_MAX"} {
			name = p.Variable(name)
			if _, listed := env[name]; asked[name] != listed {
				t.Errorf("%s: read %t, listed %t", name, asked[name], listed)
			}
		}
	}
}

func TestNewRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	empty := secretFile(t)
	short := secretFile(t, pinwheelSecret, "too-short")
	demo := secretFile(t, "sandbox-truv-secret")
	fine := serveOnly(schema.Pinwheel, secretFile(t, pinwheelSecret))
	inUse := fine
	inUse.Addr = taken.Addr().String()
	noAddress := fine
	noAddress.Addr = "8080"
	oneMissing := serveOnly(schema.Pinwheel, secretFile(t, pinwheelSecret))
	oneMissing.Providers[schema.Truv] = ProviderConfig{SecretsFile: "/nowhere/secrets"}
	besideAReal := serveOnly(schema.Pinwheel, secretFile(t, pinwheelSecret))
	besideAReal.Providers[schema.Truv] = ProviderConfig{
		SecretsFile: demo, URL: "http://providers:8081/truv",
	}
	for name, row := range map[string]struct {
		config  Config
		metrics bool // were registered before
		err     string
	}{
		"without any secrets": {
			config: Config{},
			err:    "neither PINWHEEL_SECRETS_FILE nor TRUV_SECRETS_FILE is set: set one or more",
		},
		"with an empty file": {
			config: serveOnly(schema.Pinwheel, empty),
			err:    "PINWHEEL_SECRETS_FILE: " + empty + ": it holds no secret",
		},
		"with a short secret": {
			config: serveOnly(schema.Truv, short),
			err:    "TRUV_SECRETS_FILE: " + short + ": line 2: ",
		},
		"with the demonstration's secret and the provider's own host": {
			config: serveOnly(schema.Truv, demo),
			err: "TRUV_SECRETS_FILE: " + demo + ": the demonstration's keys are public, " +
				"and the host of TRUV_URL, which is not set, is real",
		},
		"with a fake's secret beside another provider's own host": {
			config: besideAReal,
			err: "TRUV_SECRETS_FILE: " + demo + ": the demonstration's keys are public, " +
				"and the host of PINWHEEL_URL, which is not set, is real",
		},
		"with one of the files missing": {
			config: oneMissing,
			err:    "TRUV_SECRETS_FILE: stat /nowhere/secrets",
		},
		"with an address in use": {
			config: inUse,
			err:    "INGRESS_ADDR: listen tcp " + inUse.Addr + ": bind: address already in use",
		},
		"with an address that is none": {
			config: noAddress,
			err:    "INGRESS_ADDR: listen tcp: address 8080: missing port in address",
		},
		"with a metric that exists": {
			config:  fine,
			metrics: true,
			err:     "register metrics: duplicate metrics collector registration attempted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			if row.metrics {
				if _, err := newServer(fine, &fakePublisher{}, testLog(t), registry); err != nil {
					t.Fatal(err)
				}
			}
			_, err := New(row.config, &fakePublisher{}, testLog(t), registry)
			expectError(t, err, row.err)
			for _, secret := range []string{"too-short", pinwheelSecret} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a secret: %v", err)
				}
			}
		})
	}
}

func TestAProviderWithoutASchemeStopsTheStart(t *testing.T) {
	if err := coverAll(schema.Providers()); err != nil {
		t.Error(err)
	}
	err := coverAll(append(schema.Providers(), "argyle"))
	expectError(t, err, webhook.Covers("argyle").Error())
}

func TestAProviderWithoutAFileIsNotServed(t *testing.T) {
	s, _ := handler(t, serveOnly(schema.Truv, secretFile(t, truvSecret)), &fakePublisher{})
	if w := serve(s, request(pinwheelPath, income)); w.Code != 404 {
		t.Errorf("Pinwheel is answered %d, want 404", w.Code)
	}
	if w := serve(s, request(truvPath, connected)); w.Code != 200 {
		t.Errorf("Truv is answered %d, want 200", w.Code)
	}
}

// expectError asserts that the error begins as wanted. An empty text wants no error.
func expectError(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("error %q, want %q", err, want)
	}
}
