package process_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/schema/process"
)

// demoSecret is one of the demonstration's secrets.
const demoSecret = "sandbox-pinwheel-secret"

const realURL = "https://api.getpinwheel.com"

func pinwheelURL(value string) process.ProviderURL {
	return process.ProviderURL{Variable: "PINWHEEL_URL", Value: value}
}

func TestTheDemonstrationsKeysStandBesideFakesOnly(t *testing.T) {
	for _, test := range []struct {
		url     string
		refused bool
	}{
		{"", true}, // the default is the provider's own host
		{realURL, true},
		{"https://sandbox.getpinwheel.com/v1", true},
		{"https://API.GETPINWHEEL.COM.", true},
		{"https://93.184.216.34", true},
		{"https://10.0.0.7", true},
		{"https://0.0.0.0", true},
		{"https://1572395042", true}, // some resolvers read an address
		{"https://[2001:db8::1]:443", true},
		{"https://localhost.example.com", true},
		{"https://[", true}, // cannot be read
		{"api.getpinwheel.com", true},

		{"http://127.0.0.1:8081/pinwheel", false},
		{"http://127.8.8.8", false},
		{"http://[::1]:8081", false},
		{"http://[::ffff:127.0.0.1]", false},
		{"http://localhost:8081", false},
		{"http://LOCALHOST", false},
		{"http://fakes.localhost", false},
		{"http://providers:8081/pinwheel", false},
	} {
		t.Run(test.url, func(t *testing.T) {
			url := pinwheelURL(test.url)
			_, err := process.OpenSecretFile("FILE", secretFile(t, demoSecret), url)
			wantRefusal(t, "a file of secrets", err, test.refused)
			err = url.CheckValue("TRUV_CLIENT_ID", demoSecret)
			wantRefusal(t, "a value", err, test.refused)
			seeds := secretFile(t, "\ufeff# the seed\r\n"+demoSecret+"\r\n")
			err = url.CheckBrokerKey(func(name string) string {
				return map[string]string{"NATS_CREDS_FILE": seeds}[name]
			})
			wantRefusal(t, "a key for the broker", err, test.refused)
			tokens := secretFile(t, "# who may do what\nanna read,act "+demoSecret+"\n")
			wantRefusal(t, "a word of a file", url.CheckFile("FILE", tokens), test.refused)
		})
	}
}

func wantRefusal(t *testing.T, what string, err error, refused bool) {
	t.Helper()
	if refused != (err != nil) {
		t.Errorf("%s: error %v, want refused %v", what, err, refused)
	}
	if err == nil {
		return
	}
	for _, want := range []string{"the demonstration's keys are public", "PINWHEEL_URL"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error %q does not say %q", what, err, want)
		}
	}
	if strings.Contains(err.Error(), demoSecret) {
		t.Errorf("%s: the error %q shows the key", what, err)
	}
}

func TestADemonstrationsKeyIsNotTakenLater(t *testing.T) {
	path := secretFile(t, first)
	f, err := process.OpenSecretFile("FILE", path, pinwheelURL(realURL))
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, first+"\n"+demoSecret)
	if _, err := f.Active(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names %s", err, path)
	}
	wantActive(t, f, first)
}

func TestOwnKeysStandBesideARealHost(t *testing.T) {
	url := pinwheelURL(realURL)
	if err := url.CheckValue("TRUV_CLIENT_ID", "client-of-ours"); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"", secretFile(t, first), filepath.Join(t.TempDir(), "none")} {
		if err := url.CheckBrokerKey(func(string) string { return path }); err != nil {
			t.Error(err)
		}
		if err := url.CheckFile("FILE", path); err != nil {
			t.Error(err)
		}
	}
}

func TestSecretsGoInTheClearToFakesOnly(t *testing.T) {
	for _, test := range []struct {
		url     string
		refused bool
	}{
		{"http://api.getpinwheel.com", true},
		{"HTTP://api.getpinwheel.com", true},
		{"http://10.0.0.7:8081", true},
		{"http://providers:8081", false},
		{"http://127.0.0.1:8081", false},
		{realURL, false},
		{"", false},
	} {
		t.Run(test.url, func(t *testing.T) {
			err := pinwheelURL(test.url).CheckHTTPS()
			if test.refused != (err != nil) {
				t.Fatalf("error %v, want refused %v", err, test.refused)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "PINWHEEL_URL: ") {
				t.Errorf("the error %q does not begin with the variable", err)
			}
		})
	}
}
