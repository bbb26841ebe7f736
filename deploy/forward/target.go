package forward

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
)

const (
	// keptBytesMax is the size of the largest body that is kept in memory, in bytes of the records
	// as stored. A larger body is sent in chunks, while its records are read.
	keptBytesMax = 2 << 20
	// answerBytesMax is how much of an answer is read. Only its status counts.
	answerBytesMax = 64 << 10
	// restFor is how long a connection is kept at rest. It is shorter than programs keep one: Node
	// has 5 s. So a connection is not used while the program closes it.
	restFor = 2 * time.Second
	// streamBytes is the size of the parts of a body that is sent while it is read.
	streamBytes = 64 << 10

	headerOutcome     = "Wagewire-Outcome"
	headerTraceParent = "traceparent"
)

// Target is a program that takes completions by HTTP. It is safe for concurrent use.
type Target struct {
	address   *url.URL
	form      Form
	answerFor time.Duration
	client    *http.Client
}

// NewTarget returns the program at an http or https address. The program may take answerFor to read
// a part of the body, and as long to answer. If the address is one of IsHere, the target opens
// connections to this machine alone, and uses no proxy.
func NewTarget(address *url.URL, form Form, answerFor time.Duration) *Target {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSHandshakeTimeout: answerFor,
		MaxIdleConnsPerHost: client.HandsMax,
		IdleConnTimeout:     restFor,
	}
	if IsHere(address) {
		transport.Proxy = nil
		dialer := net.Dialer{Control: refuseElsewhere}
		transport.DialContext = dialer.DialContext
	}
	return &Target{
		address: address, form: form, answerFor: answerFor,
		client: &http.Client{
			Transport: transport,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
	}
}

// IsHere reports whether the host of an address is localhost or a loopback address. Another name,
// such as app.localhost, may be any machine: DNS decides.
func IsHere(address *url.URL) bool {
	host := strings.ToLower(address.Hostname())
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// refuseElsewhere returns an error for a connection to another machine, if localhost is not the
// name of this one.
func refuseElsewhere(_, address string, _ syscall.RawConn) error {
	place, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !place.Addr().Unmap().IsLoopback() {
		return errElsewhere
	}
	return nil
}

// errElsewhere is the error of a connection that would leave this machine.
var errElsewhere = errors.New("the host is another machine: write 127.0.0.1 for this one")

// Close closes the connections that are at rest.
func (t *Target) Close() { t.client.CloseIdleConnections() }

// Answer is what the program answered.
type Answer struct {
	// Status is the status, 0 without an answer.
	Status int
	// Took is the time from the begin of the request.
	Took time.Duration
}

// Send posts the completion. A nil error means that the program answered the whole completion with
// 2xx: it has stored the completion. A *RefusedError means that it did not, also if a 2xx came
// before the whole completion was sent. After any other error the program did not get the whole
// completion, because the completion or its records could not be read.
func (t *Target) Send(ctx context.Context, c *client.Completion) (Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b, err := t.open(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = b.end() }()
	late := time.AfterFunc(t.answerFor, func() { cancel(errLate) })
	defer late.Stop()
	sent := &patientReader{reader: b.reader, late: late, limit: t.answerFor, length: b.length}
	request, err := t.newRequest(ctx, c, sent)
	if err != nil {
		return Answer{}, err
	}
	began := time.Now()
	response, err := t.client.Do(request)
	answer := Answer{Took: time.Since(began)}
	if err != nil {
		if unread := b.end(); unread != nil {
			return answer, unread
		}
		if errors.Is(context.Cause(ctx), errLate) {
			err = errLate
		}
		return answer, t.noAnswer(err)
	}
	// The rest of the answer is read so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, response.Body, answerBytesMax)
	_ = response.Body.Close()
	answer.Status = response.StatusCode
	if err := refusalOf(answer.Status); err != nil {
		return answer, err
	}
	if !sent.isWhole() {
		if unread := b.end(); unread != nil {
			return answer, unread
		}
		return answer, &RefusedError{Status: answer.Status, Reason: reasonEarly}
	}
	return answer, nil
}

func (t *Target) newRequest(
	ctx context.Context, c *client.Completion, sent *patientReader,
) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.address.String(), nil)
	if err != nil {
		return nil, err
	}
	request.ContentLength = sent.length
	request.Body = io.NopCloser(sent)
	request.Header.Set("Content-Type", schema.CloudEventsJSON)
	request.Header.Set("User-Agent", "wagewire")
	if outcome := string(c.Data.Outcome); schema.Token(outcome) == outcome {
		request.Header.Set(headerOutcome, outcome)
	}
	if c.TraceParent != "" && schema.Token(c.TraceParent) == c.TraceParent {
		request.Header.Set(headerTraceParent, c.TraceParent)
	}
	return request, nil
}

// body is the body of a request.
type body struct {
	reader io.Reader
	// length is the number of bytes, -1 if nobody knows it yet.
	length int64
	// end ends the reading of the records, and returns its error. It may be called twice.
	end func() error
}

// open returns the body for a completion. Its first bytes are there, so the records are checked.
func (t *Target) open(ctx context.Context, c *client.Completion) (*body, error) {
	if ref := c.Data.RecordsRef; ref != nil && ref.Bytes > keptBytesMax {
		return t.stream(ctx, c)
	}
	var text bytes.Buffer
	if err := t.form.Write(ctx, &text, c); err != nil {
		return nil, err
	}
	return &body{
		reader: &text, length: int64(text.Len()),
		end: func() error { return nil },
	}, nil
}

// stream writes the body while it is sent.
func (t *Target) stream(ctx context.Context, c *client.Completion) (*body, error) {
	ctx, cancel := context.WithCancel(ctx)
	reader, writer := io.Pipe()
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		failed = t.form.Write(ctx, writer, c)
		_ = writer.CloseWithError(failed)
	}()
	end := func() error {
		_ = reader.CloseWithError(errStopped)
		cancel()
		<-done
		if errors.Is(failed, errStopped) {
			return nil // the request ended first
		}
		return failed
	}
	buffered := bufio.NewReaderSize(reader, streamBytes)
	if _, err := buffered.Peek(1); err != nil {
		if failed := end(); failed != nil {
			return nil, failed
		}
		return nil, err
	}
	return &body{reader: buffered, length: -1, end: end}, nil
}

var (
	// errStopped is the error of a body whose request has ended.
	errStopped = errors.New("the request has ended")
	// errLate is the error of a request that the program keeps waiting.
	errLate = errors.New("late")
)

// patientReader is the body of a request. While the transport waits for a part of the body, the
// program keeps nobody waiting, so the timer rests.
type patientReader struct {
	reader io.Reader
	late   *time.Timer
	limit  time.Duration
	// length is the number of bytes of the body, -1 if nobody knows it yet.
	length int64

	read  atomic.Int64
	ended atomic.Bool
}

// Read reads a part of the body.
func (r *patientReader) Read(p []byte) (int, error) {
	r.late.Stop()
	defer r.late.Reset(r.limit)
	n, err := r.reader.Read(p)
	r.read.Add(int64(n))
	if err == io.EOF {
		r.ended.Store(true)
	}
	return n, err
}

// isWhole reports whether the transport has read the whole body. The transport may have sent all
// bytes of a known length before it looks for the end.
func (r *patientReader) isWhole() bool { return r.ended.Load() || r.read.Load() == r.length }
