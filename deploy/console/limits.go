package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap"
)

const (
	// headerFor is how long a browser may take to send the headers of a request, and bodyFor the
	// form after them.
	headerFor = 5 * time.Second
	bodyFor   = 5 * time.Second
	// formBytesMax is the size of the largest form.
	formBytesMax = 64 << 10
	// writeFor is how long a browser may take to receive a page, or a sign of life.
	writeFor = 10 * time.Second
	// answerFor is how long an answer may take with everything that it asks the broker.
	answerFor = searchAllFor + writeFor
	// idleFor is how long a connection may be without a request.
	idleFor = 2 * time.Minute
)

// Server returns the HTTP server of the pages. Its shutdown ends the pages that stay open.
func (c *Console) Server() *http.Server {
	server := &http.Server{
		Handler:           c.Handler(),
		ReadHeaderTimeout: headerFor,
		WriteTimeout:      answerFor,
		IdleTimeout:       idleFor,
	}
	server.RegisterOnShutdown(c.stop)
	return server
}

// takeForm reads the body of a request, so that a browser that sends slowly holds no request open.
// It returns false after an answer that says what is wrong. The deadline then stays, and nobody
// waits for the rest of the body.
func (c *Console) takeForm(w http.ResponseWriter, r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyFor)) // not every writer has deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, formBytesMax))
	if err == nil {
		_ = connection.SetReadDeadline(time.Time{})
		r.Body = io.NopCloser(bytes.NewReader(body))
		return true
	}
	status := http.StatusBadRequest
	text := "The form is cut off"
	if _, isLarge := errors.AsType[*http.MaxBytesError](err); isLarge {
		status = http.StatusRequestEntityTooLarge
		text = fmt.Sprintf("The form has more than %d bytes", formBytesMax)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		status = http.StatusRequestTimeout
		text = fmt.Sprintf("The form did not arrive within %s", bodyFor)
	}
	w.Header().Set("Connection", "close")
	r = r.WithContext(context.WithoutCancel(r.Context())) // a body that ends early ends the context
	c.fail(w, r, status, text+", so nothing was done.")
	return false
}

// survive answers 500 if a page panics. The log has the place, and no value: a value may be of a
// record.
func (c *Console) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if fault := recover(); fault != nil {
				c.log.Error("page panicked", zap.String("type", fmt.Sprintf("%T", fault)),
					zap.Stack("stack"))
				http.Error(w, pageNotMade, http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
