package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// output hands over the first line that is printed.
type output chan string

func (o output) Write(line []byte) (int, error) {
	o <- string(line)
	return len(line), nil
}

func TestProvidersServeUntilTheyAreStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	printed, ended := make(output, 1), make(chan error, 1)
	go func() { ended <- run(ctx, []string{"--addr", "127.0.0.1:0"}, printed) }()
	var line string
	select {
	case line = <-printed:
	case err := <-ended:
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line, "http://")
	host, _, _ := strings.Cut(rest, ": ")
	answer, err := http.Post("http://"+host+"/control/people", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if answer.StatusCode >= 300 || !bytes.Contains(body, []byte("account_id")) {
		t.Errorf("a person was answered %d %s", answer.StatusCode, body)
	}
	if err := run(t.Context(), []string{"healthcheck", "--addr", host}, io.Discard); err != nil {
		t.Errorf("healthcheck while they serve: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if err := run(t.Context(), []string{"healthcheck", "--addr", host}, io.Discard); err == nil || !strings.Contains(err.Error(), host) {
		t.Errorf("healthcheck when they have stopped: %v", err)
	}
}

func TestProvidersSayWhatIsWrong(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag points to the help":     {[]string{"--port", "1"}, "see providers --help"},
		"an argument is not silently dropped":    {[]string{"now"}, `unknown argument "now"`},
		"a healthcheck names it, too":            {[]string{"healthcheck", "--addr", "nowhere"}, "--addr: "},
		"an address that cannot be names --addr": {[]string{"--addr", "nowhere"}, "--addr: "},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), row.args, io.Discard); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q in it", err, row.want)
			}
		})
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	var help bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &help); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--addr", "--webhooks", "--page-max", "--version"} {
		if !strings.Contains(help.String(), flag) {
			t.Errorf("--help does not name %s", flag)
		}
	}
}
