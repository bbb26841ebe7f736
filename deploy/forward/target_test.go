package forward_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wagewire/wagewire/deploy/forward"
	"github.com/wagewire/wagewire/schema"
)

// longTime is longer than any answer of these tests takes.
const longTime = time.Hour

// serve starts a program, and returns the program as a target.
func serve(
	t *testing.T, answerFor time.Duration, handler http.HandlerFunc,
) (*forward.Target, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	target := forward.NewTarget(address.JoinPath("hook"), forward.Form{}, answerFor)
	t.Cleanup(target.Close)
	return target, server
}

const income = `{"id":"c-1","data":{"provider":"pinwheel","resource":"income",` +
	`"outcome":"succeeded","records":[{"amount":` + digits + `}]}}`

func TestARequestIsACloudEventInStructuredMode(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for promise, test := range map[string]struct {
		outcome     schema.Outcome
		traceParent string
		want        map[string]string
	}{
		"with the outcome and the trace": {schema.Succeeded, trace,
			map[string]string{"Wagewire-Outcome": "succeeded", "traceparent": trace}},
		"without a trace": {schema.Deleted, "",
			map[string]string{"Wagewire-Outcome": "deleted", "traceparent": ""}},
		"an unknown outcome is kept": {"renamed", trace,
			map[string]string{"Wagewire-Outcome": "renamed"}},
		"an outcome that no header takes is in the body alone": {"a\r\nb: c", "x y",
			map[string]string{"Wagewire-Outcome": "", "traceparent": "", "b": ""}},
	} {
		t.Run(promise, func(t *testing.T) {
			var got *http.Request
			var body []byte
			target, _ := serve(t, longTime, func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				w.WriteHeader(http.StatusNoContent)
			})
			c := read(t, income)
			c.Data.Outcome = test.outcome
			c.TraceParent = test.traceParent
			answer, err := target.Send(t.Context(), c)
			if err != nil || answer.Status != 204 {
				t.Fatalf("got %+v, %v", answer, err)
			}
			if got.Method != http.MethodPost || got.URL.Path != "/hook" ||
				got.Header.Get("Content-Type") != "application/cloudevents+json" ||
				got.ContentLength != int64(len(income)) || string(body) != income {
				t.Errorf("got %s %s %v with %s", got.Method, got.URL, got.Header, body)
			}
			for name, want := range test.want {
				if value := got.Header.Get(name); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
		})
	}
}

func TestOnly2xxMeansStored(t *testing.T) {
	for status, want := range map[int]string{
		200: "", 201: "", 202: "", 204: "", 299: "",
		301: "a redirect is not followed", 307: "a redirect is not followed",
		400: "the program does not take the completion",
		401: "the program wants credentials",
		403: "the program wants credentials",
		404: "is the path right?",
		405: "the program takes no POST there",
		413: "raise the program's limit",
		415: "does not take bodies of application/cloudevents+json",
		422: "the program does not take the completion",
		500: "the program failed", 503: "the program failed",
		600: "only 2xx means",
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			requests := 0
			target, _ := serve(t, longTime, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
			})
			answer, err := target.Send(t.Context(), read(t, income))
			if answer.Status != status || requests != 1 {
				t.Errorf("%d requests, and the status %d", requests, answer.Status)
			}
			if want == "" {
				if err != nil {
					t.Errorf("error %v, want that it is stored", err)
				}
				return
			}
			refusal, isRefusal := errors.AsType[*forward.RefusedError](err)
			if !isRefusal || refusal.Status != status || refusal.IsUnreachable ||
				!strings.Contains(refusal.Reason, want) {
				t.Errorf("error %#v, want a refusal with %q", err, want)
			}
		})
	}
}

// waitForEnd waits until the sender of a request has gone. A server looks for that when the body is
// read.
func waitForEnd(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestAProgramThatDoesNotAnswerIsToldInWordsThatHelp(t *testing.T) {
	for promise, test := range map[string]struct {
		answerFor     time.Duration
		program       http.HandlerFunc // nil: nobody listens
		isUnreachable bool
		want          string
	}{
		"nobody listens": {longTime, nil, true, "connection refused: does a program listen on 127.0.0.1:"},
		"it takes too long": {20 * time.Millisecond,
			func(_ http.ResponseWriter, r *http.Request) { waitForEnd(r) }, false,
			"nothing came within 20ms"},
		"it crashes": {longTime,
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false,
			"the program closed the connection: did it crash?"},
		"it speaks no HTTP": {longTime, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "220 mail.invalid ESMTP\r\n")
			_ = conn.Close()
		}, false, "net/http: HTTP/1.x transport connection broken: malformed HTTP"},
	} {
		t.Run(promise, func(t *testing.T) {
			target, server := serve(t, test.answerFor, test.program)
			if test.program == nil {
				server.Close()
			}
			answer, err := target.Send(t.Context(), read(t, income))
			refusal, isRefusal := errors.AsType[*forward.RefusedError](err)
			if !isRefusal || refusal.IsUnreachable != test.isUnreachable || answer.Status != 0 ||
				!strings.Contains(err.Error(), "no answer: "+test.want) {
				t.Errorf("got %+v, %v, want %q", answer, err, test.want)
			}
		})
	}
}

func TestWhatIsForThisMachineDoesNotLeaveIt(t *testing.T) {
	for address, isHere := range map[string]bool{
		"http://localhost:3000/hook":          true,
		"https://LocalHost/hook":              true,
		"http://127.0.0.1:3000/hook":          true,
		"http://127.8.8.8/hook":               true,
		"http://[::1]:3000/hook":              true,
		"http://[::ffff:127.0.0.1]/hook":      true,
		"http://app.localhost:3000/hook":      false,
		"http://localhost.:3000/hook":         false,
		"http://localhost.example.com/hook":   false,
		"http://127.0.0.1.example.com/hook":   false,
		"http://127.0.0.1@app.example.com/":   false,
		"http://0.0.0.0:3000/hook":            false,
		"http://10.0.0.1/hook":                false,
		"http://app.example.com/#@127.0.0.1":  false,
		"http://app.example.com?h=//[::1]/":   false,
		"http://[::ffff:192.0.2.1]:3000/hook": false,
	} {
		t.Run(address, func(t *testing.T) {
			parsed, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if forward.IsHere(parsed) != isHere {
				t.Fatalf("is here: %t", !isHere)
			}
			target := forward.NewTarget(parsed, forward.Form{}, longTime)
			if target.HasProxy() == isHere {
				t.Errorf("has a proxy: %t", isHere)
			}
			if !isHere {
				return
			}
			const elsewhere = "192.0.2.1:80" // as a wrong entry for localhost could say
			if err := target.Dial(t.Context(), elsewhere); !errors.Is(err, forward.ErrElsewhere) {
				t.Errorf("a connection to another machine: %v", err)
			}
		})
	}
}

func TestAPasswordOfTheAddressIsNotInAnError(t *testing.T) {
	_, server := serve(t, longTime, func(http.ResponseWriter, *http.Request) {})
	server.Close()
	address, err := url.Parse(strings.Replace(server.URL, "//", "//me:hush-hush@", 1))
	if err != nil {
		t.Fatal(err)
	}
	target := forward.NewTarget(address, forward.Form{}, longTime)
	if _, err := target.Send(t.Context(), read(t, income)); err == nil ||
		strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v", err)
	}
}

func TestALongAnswerIsReadToALimit(t *testing.T) {
	var ended sync.WaitGroup
	ended.Add(1)
	target, _ := serve(t, longTime, func(w http.ResponseWriter, _ *http.Request) {
		defer ended.Done()
		part := make([]byte, 1<<20)
		for { // until the reader closes the connection
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})
	answer, err := target.Send(t.Context(), read(t, income))
	if err != nil || answer.Status != 200 {
		t.Errorf("got %+v, %v", answer, err)
	}
	ended.Wait()
}

func TestAnAnswerThatDoesNotEndIsAnAnswer(t *testing.T) {
	target, _ := serve(t, 20*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		waitForEnd(r)
	})
	answer, err := target.Send(t.Context(), read(t, income))
	if err != nil || answer.Status != 200 {
		t.Errorf("got %+v, %v", answer, err)
	}
}

func TestAnAnswerBeforeTheWholeBodyWasSentDoesNotMeanStored(t *testing.T) {
	const size = 32 << 20 // more than the buffers of a connection take
	large := strings.Replace(income, digits, `"`+strings.Repeat("x", size)+`"`, 1)
	for promise, test := range map[string]struct {
		status int
		reads  bool
		want   string
	}{
		"a 2xx behind the headers": {http.StatusOK, false,
			"answer 200: the program answered before the whole completion was sent"},
		"a 2xx behind the body":        {http.StatusOK, true, ""},
		"a refusal keeps its own word": {http.StatusNotFound, false, "answer 404: is the path right?"},
	} {
		t.Run(promise, func(t *testing.T) {
			sent := make(chan struct{})
			target, _ := serve(t, longTime, func(w http.ResponseWriter, r *http.Request) {
				if test.reads {
					_, _ = io.Copy(io.Discard, r.Body)
					w.WriteHeader(test.status)
					return
				}
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d Early\r\nContent-Length: 0\r\n\r\n",
					test.status)
				<-sent
			})
			answer, err := target.Send(t.Context(), read(t, large))
			close(sent)
			if answer.Status != test.status {
				t.Errorf("status %d", answer.Status)
			}
			if test.want == "" {
				if err != nil {
					t.Errorf("error %v, want that it is stored", err)
				}
				return
			}
			_, isRefusal := errors.AsType[*forward.RefusedError](err)
			if !isRefusal || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want a refusal with %q", err, test.want)
			}
		})
	}
}

func TestTheEndOfTheContextEndsTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	target, _ := serve(t, longTime, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		waitForEnd(r)
	})
	answer, err := target.Send(ctx, read(t, income))
	if !errors.Is(ctx.Err(), context.Canceled) || err == nil || answer.Status != 0 {
		t.Errorf("got %+v, %v", answer, err)
	}
}
