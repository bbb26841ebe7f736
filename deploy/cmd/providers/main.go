// Command providers serves the fake Pinwheel and Truv by themselves: see providers --help.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/deploy/sandbox"
	"github.com/wagewire/wagewire/schema/process"
)

const usage = `providers serves the fake Pinwheel and Truv: their APIs, webhooks that they sign and send, and a control
endpoint that makes people and mischief.

Usage:
  providers [flags]
  providers send TYPE [--providers URL]  have the fakes that run send a webhook: see providers send --help
  providers healthcheck [--addr ADDR]    exit 0 when the providers at ADDR answer, else say why not and exit 1

Examples:
  providers --webhooks http://127.0.0.1:8080/webhooks
  curl -X POST http://127.0.0.1:8081/control/people
  curl http://127.0.0.1:8081/control/webhooks -d '{"type":"employment.added"}'

Flags:
  --addr ADDR      listen here (127.0.0.1:8081; in a container :8081, which healthcheck finds as it is)
  --webhooks URL   send webhooks here, with /pinwheel or /truv behind (http://127.0.0.1:8080/webhooks)
  --page-max N     records on a page, whatever is asked for (25)
  --version        print the version

Secrets: Pinwheel's is sandbox-pinwheel-secret; Truv's is sandbox-truv-secret, its client id sandbox-truv-client.
`

const readHeaderFor = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "providers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) > 0 && args[0] == sendCommand {
		return send(ctx, args[1:], stdout)
	}
	check := len(args) > 0 && args[0] == process.HealthcheckArg
	if check {
		args = args[1:]
	}
	flags := flag.NewFlagSet("providers", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "127.0.0.1:8081", "")
	webhooks := flags.String("webhooks", "http://127.0.0.1:8080/webhooks", "")
	pageMax := flags.Int("page-max", sandbox.PageMax, "")
	version := flags.Bool("version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(stdout, usage)
		return err
	case err != nil:
		return fmt.Errorf("%w; see providers --help", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unknown argument %q; see providers --help", flags.Arg(0))
	case *version:
		_, err := fmt.Fprintln(stdout, "providers", process.Version())
		return err
	case check:
		return process.Healthcheck(ctx, "--addr", *addr)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	fakes := fake.New(fake.Config{
		WebhookURL: *webhooks, PageMax: cmp.Or(*pageMax, sandbox.PageMax),
	})
	defer context.AfterFunc(ctx, fakes.Close)()
	if _, err := fmt.Fprintf(stdout, "fake providers on http://%s: /pinwheel, /truv, /control\n", listener.Addr()); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/", fakes)
	return process.Serve(ctx, listener, &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderFor})
}
