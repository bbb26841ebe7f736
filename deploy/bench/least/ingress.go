package least

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Ingress runs the least ingress until ctx ends. GET answers 200, for health checks.
func Ingress(ctx context.Context, c Config) error {
	conn, js, err := connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if code := store(js, []byte(c.Secret), r); code != http.StatusOK {
			w.WriteHeader(code)
		}
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux} //nolint:gosec // the least server has no limits
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// store verifies a webhook of Pinwheel, stores it and returns the status to answer.
func store(js jetstream.JetStream, secret []byte, r *http.Request) int {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return http.StatusBadRequest
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("v2:" + r.Header.Get("X-Timestamp") + ":"))
	mac.Write(body)
	got, _ := strings.CutPrefix(r.Header.Get("X-Pinwheel-Signature"), "v2=")
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(got)) {
		return http.StatusUnauthorized
	}
	var event struct {
		ID   string `json:"event_id"`
		Type string `json:"event"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return http.StatusBadRequest
	}
	msg := &nats.Msg{Subject: eventsSubject + event.Type, Data: body}
	_, err = js.PublishMsg(r.Context(), msg, jetstream.WithMsgID(event.ID))
	if err != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}
