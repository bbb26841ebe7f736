package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// firstLine passes on the first line that is printed.
type firstLine chan string

func (l firstLine) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

// runQuietly runs the command and returns its exit code and what it printed to standard error.
func runQuietly(ctx context.Context, args ...string) (code int, stderr string) {
	var complaint bytes.Buffer
	code = run(ctx, args, io.Discard, &complaint)
	return code, complaint.String()
}

func TestProvidersServeUntilTheyAreStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	printed := make(firstLine, 1)
	ended := make(chan int, 1)
	var stderr bytes.Buffer
	args := []string{"--addr", "127.0.0.1:0", "--fixture", writeFixture(t)}
	go func() { ended <- run(ctx, args, printed, &stderr) }()
	var line string
	select {
	case line = <-printed:
	case code := <-ended:
		t.Fatalf("exit code %d, printed %s", code, &stderr)
	case <-streamtest.Late(t):
		t.Fatal("nothing was printed")
	}
	_, rest, _ := strings.Cut(line, "http://")
	host, paths, _ := strings.Cut(rest, ": ")
	if want := "/pinwheel, /truv, /control\n"; paths != want {
		t.Errorf("paths %q, want %q", paths, want)
	}
	people := "http://" + host + "/control/people"
	response, err := http.Post(people, "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode >= 300 || !bytes.Contains(body, []byte("account_id")) {
		t.Errorf("the response to a new person is %d %s", response.StatusCode, body)
	}
	if link := getLink(t, host); link != `{"id": "l-1"}` {
		t.Errorf("the link of the fixture is %s", link)
	}
	if code, stderr := runQuietly(t.Context(), "healthcheck", "--addr", host); code != 0 {
		t.Errorf("healthcheck while they serve: exit code %d, %s", code, stderr)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("stopped with exit code %d, %s", code, &stderr)
	}
	code, complaint := runQuietly(t.Context(), "healthcheck", "--addr", host)
	if code != 1 || !strings.Contains(complaint, host) {
		t.Errorf("healthcheck after they stopped: exit code %d, %s", code, complaint)
	}
}

// getLink returns Truv's answer about the link of writeFixture.
func getLink(t *testing.T, host string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"http://"+host+"/truv/v1/links/l-1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Access-Client-Id", fake.TruvClientID)
	request.Header.Set("X-Access-Secret", fake.Secret(fake.Truv))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestProvidersSayWhatIsWrong(t *testing.T) {
	for promise, row := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag points to the help": {
			[]string{"--port", "1"}, "see: providers --help",
		},
		"an argument is not dropped": {
			[]string{"now"}, `there is no command "now"`,
		},
		"a command with a typo gets a suggestion": {[]string{"sned"}, "did you mean send?"},
		"healthcheck names the flag of its address": {
			[]string{"healthcheck", "--addr", "nowhere"}, "--addr: ",
		},
		"a fixture that is not there names the flag": {
			[]string{"--addr", "127.0.0.1:0", "--fixture", "nosuch.json"}, "--fixture: open nosuch.json",
		},
		"a file that is no fixture": {
			[]string{"--addr", "127.0.0.1:0", "--fixture", "main.go"},
			"--fixture: main.go is no fixture",
		},
		"an address that is impossible names --addr": {[]string{"--addr", "nowhere"}, "--addr: "},
	} {
		t.Run(promise, func(t *testing.T) {
			code, stderr := runQuietly(t.Context(), row.args...)
			if code != 1 || !strings.Contains(stderr, row.want) {
				t.Errorf("exit code %d, printed %q, want %q in it", code, stderr, row.want)
			}
		})
	}
}

func TestHelpNamesFlagsSecretsAndVariables(t *testing.T) {
	var help bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &help, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, want := range []string{
		"--addr", "--webhooks", "--page-max", "--version",
		"sandbox-pinwheel-secret", "sandbox-truv-secret", "TRUV_CLIENT_ID=sandbox-truv-client",
	} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("--help does not name %s", want)
		}
	}
}
