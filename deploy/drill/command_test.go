package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wagewire/wagewire/schema"
)

// fault PATH STATUS
func (d *drill) fault(_ *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	status, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return d.control(http.MethodPost, "faults", map[string]any{"path": args[0], "status": status})
}

// clear
func (d *drill) clear(_ *testscript.TestScript, args []string) error {
	if len(args) != 0 {
		return errUsage
	}
	return d.control(http.MethodDelete, "faults", nil)
}

// send TYPE [OLD]
func (d *drill) send(_ *testscript.TestScript, args []string) error {
	switch len(args) {
	case 1:
		return d.sendWebhook(args[0], "0s")
	case 2:
		return d.sendWebhook(args[0], args[1])
	default:
		return errUsage
	}
}

func (d *drill) sendWebhook(webhookType, old string) error {
	if err := d.control(http.MethodPost, "people", nil); err != nil {
		return err
	}
	return d.control(http.MethodPost, "webhooks", map[string]any{
		"type": webhookType, "old_timestamp": old,
	})
}

// flood TYPE
func (d *drill) flood(_ *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	d.stopFlood()
	d.stopFlood = d.repeat(func(context.Context) { _ = d.sendWebhook(args[0], "0s") })
	return nil
}

// calm
func (d *drill) calm(_ *testscript.TestScript, args []string) error {
	if len(args) != 0 {
		return errUsage
	}
	d.stopFlood()
	return nil
}

// control sends an instruction to the fake providers.
func (d *drill) control(method, path string, instruction any) error {
	var body bytes.Buffer
	if instruction != nil {
		if err := json.NewEncoder(&body).Encode(instruction); err != nil {
			return err
		}
	}
	url := "http://" + d.providers + "/control/" + path
	req, err := http.NewRequestWithContext(d.ctx, method, url, &body)
	if err != nil {
		return err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return nil
}

// jetStream connects to the broker. The caller closes the connection.
func (d *drill) jetStream() (jetstream.JetStream, error) {
	nc, err := nats.Connect(d.natsURL())
	if err != nil {
		return nil, err
	}
	return jetstream.New(nc)
}

// keep DURATION
func (d *drill) keep(_ *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	js, err := d.jetStream()
	if err != nil {
		return err
	}
	defer js.Conn().Close()
	ctx, cancel := context.WithTimeout(d.ctx, askFor)
	defer cancel()
	completions, err := js.Stream(ctx, schema.CompletionsStream)
	if err != nil {
		return err
	}
	config := completions.CachedInfo().Config
	config.Metadata["wagewire_message_ttl"] = args[0]
	_, err = js.UpdateStream(ctx, config)
	return err
}

// read TEAM
func (d *drill) read(_ *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	js, err := d.jetStream()
	if err != nil {
		return err
	}
	defer js.Conn().Close()
	ctx, cancel := context.WithTimeout(d.ctx, askFor)
	defer cancel()
	durable, err := js.Consumer(ctx, schema.CompletionsStream, args[0])
	if err != nil {
		return err
	}
	for info := durable.CachedInfo(); info.NumPending > 0; {
		msg, err := durable.Next()
		if err != nil {
			return err
		}
		if err := msg.DoubleAck(ctx); err != nil {
			return err
		}
		if info, err = durable.Info(ctx); err != nil {
			return err
		}
	}
	return nil
}
