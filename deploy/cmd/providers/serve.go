package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wagewire/wagewire/deploy/command"
	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

const (
	defaultAddr = "127.0.0.1:8081"
	// readHeaderFor is how long a caller may take to send the headers of a request.
	readHeaderFor = 5 * time.Second
)

// serveOptions are the flags of the root command.
type serveOptions struct {
	addr     string
	webhooks string
	pageMax  int
	fixtures []string
}

func rootCommand() *cobra.Command {
	var options serveOptions
	c := &cobra.Command{
		Use: "providers",
		Long: fmt.Sprintf(`providers serves the fakes of %s: their APIs, the signed webhooks that
they send, and /control, which makes people, sends webhooks and lets the APIs fail.`,
			sandbox.Titles()),
		Example: `  providers --webhooks http://127.0.0.1:8080/webhooks
  providers send employment.added
  curl -X POST http://127.0.0.1:8081/control/people
  curl http://127.0.0.1:8081/control/webhooks -d '{"type":"employment.added"}'`,
		RunE: func(c *cobra.Command, _ []string) error {
			return serve(c.Context(), options, c.OutOrStdout())
		},
	}
	flags := c.Flags()
	addAddr(c, &options.addr)
	flags.StringVar(&options.webhooks, "webhooks", "http://127.0.0.1:8080/webhooks",
		"send webhooks to this `URL` with /"+strings.Join(fake.Names(), " or /")+" at its end")
	flags.StringArrayVar(&options.fixtures, "fixture", nil,
		"give the answers of a `FILE` of wagewire record from the start, and send nothing; "+
			"may be given several times")
	flags.IntVar(&options.pageMax, "page-max", sandbox.PageMax,
		"records on a page at most, whatever a call asks for")
	command.AddSection(c, "Secrets", secrets())
	command.AddSection(c, "Environment of a worker that calls the fakes", workerEnvironment())
	c.AddCommand(sendCommand(), healthcheckCommand())
	return c
}

func addAddr(c *cobra.Command, addr *string) {
	c.Flags().StringVar(addr, "addr", defaultAddr, "listen at this `ADDR`; in a container :8081")
}

func healthcheckCommand() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:   process.HealthcheckArg,
		Short: "Exit with 0 if the fakes at --addr answer",
		Long: `healthcheck asks the fakes that listen at --addr on this machine whether they are
ready. The exit code is 0 if they answer. If they do not, healthcheck prints the reason and the exit
code is 1.`,
		Example: "  providers healthcheck --addr :8081",
		RunE: func(c *cobra.Command, _ []string) error {
			return process.Healthcheck(c.Context(), "--addr", addr)
		},
	}
	addAddr(c, &addr)
	return c
}

// secrets lists the secrets that the fakes sign with and expect from workers.
func secrets() string {
	var text strings.Builder
	for _, p := range schema.Providers() {
		fmt.Fprintf(&text, "  %-10s  %s\n", p.Title(), fake.Secret(string(p)))
	}
	return text.String()
}

// workerEnvironment lists the variables that point a worker to the fakes.
func workerEnvironment() string {
	var text strings.Builder
	for _, p := range schema.Providers() {
		variables := fake.Environment(string(p), "http://"+defaultAddr)
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			fmt.Fprintf(&text, "  %s=%s\n", p.Variable(name), variables[name])
		}
	}
	return text.String()
}

// serve serves the fakes until ctx ends.
func serve(ctx context.Context, options serveOptions, stdout io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", options.addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	fakes := fake.New(fake.Config{
		WebhookURL: options.webhooks,
		PageMax:    cmp.Or(options.pageMax, sandbox.PageMax),
	})
	defer context.AfterFunc(ctx, fakes.Close)()
	if err := addFixtures(fakes, options.fixtures); err != nil {
		_ = listener.Close()
		return err
	}
	_, err = fmt.Fprintf(stdout, "fake providers on http://%s: /%s, /control\n",
		listener.Addr(), strings.Join(fake.Names(), ", /"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("/", fakes)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderFor}
	return process.Serve(ctx, listener, server)
}

// addFixtures lets the fakes give the answers of the files.
func addFixtures(fakes *fake.Providers, paths []string) error {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("--fixture: %w", err)
		}
		var fixture fake.Fixture
		if err := json.Unmarshal(text, &fixture); err != nil {
			return fmt.Errorf("--fixture: %s is no fixture: %w", path, err)
		}
		if err := fakes.AddFixture(fixture); err != nil {
			return fmt.Errorf("--fixture: %s: %w", path, err)
		}
	}
	return nil
}
