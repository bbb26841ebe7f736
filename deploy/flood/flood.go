package flood

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wagewire/wagewire/deploy/fake"
)

const (
	// lastsMax ends every flood.
	lastsMax = 10 * time.Minute
	// againAfter is the pause after a connection that could not be opened.
	againAfter = 100 * time.Millisecond
)

// Config is where a flood goes and how strong it is.
type Config struct {
	// Addr is the address of ingress, such as 127.0.0.1:8080. An address outside the loopback
	// interface is an error.
	Addr string
	// Provider is the provider in the path of the requests.
	Provider string
	// Sources is the number of source addresses. 0 stands for 1.
	Sources int
	// PerS limits how many openings are sent in a second. 0 stands for the limit of the attack.
	PerS int
}

// Flood is an attack that runs.
type Flood struct {
	attack   Attack
	dialer   *dialer
	opening  []byte
	pace     *rate.Limiter
	counter  counter
	standing chan struct{}
	end      context.CancelFunc
	ended    sync.WaitGroup
}

// Start starts an attack. The flood ends with Stop, with ctx, or after ten minutes. The caller must
// call Stop.
func Start(ctx context.Context, a Attack, c Config) (*Flood, error) {
	if err := fake.Covers(c.Provider); err != nil {
		return nil, err
	}
	d, err := newDialer(ctx, c.Addr, cmp.Or(c.Sources, 1))
	if err != nil {
		return nil, err
	}
	perS := a.perS
	if c.PerS > 0 {
		perS = min(perS, rate.Limit(c.PerS))
	}
	ctx, end := context.WithTimeout(ctx, lastsMax)
	f := &Flood{
		attack:   a,
		dialer:   d,
		opening:  a.opening(target{host: c.Addr, provider: c.Provider}),
		pace:     rate.NewLimiter(perS, a.Connections),
		standing: make(chan struct{}),
		end:      end,
	}
	f.counter.tally.Answers = map[int]int{}
	var first sync.WaitGroup
	first.Add(a.Connections)
	for range a.Connections {
		f.ended.Go(func() { f.keepOpen(ctx, sync.OnceFunc(first.Done)) })
	}
	go func() {
		first.Wait()
		close(f.standing)
	}()
	return f, nil
}

// Standing returns a channel that is closed when every connection was opened, or could not be
// opened, once.
func (f *Flood) Standing() <-chan struct{} { return f.standing }

// Stop ends the flood, waits until every connection is closed, and returns the figures.
func (f *Flood) Stop() Tally {
	f.end()
	f.ended.Wait()
	<-f.standing
	return f.counter.get()
}

// keepOpen opens a connection, and opens another whenever the connection has ended, until ctx ends.
// It calls opened after the first try.
func (f *Flood) keepOpen(ctx context.Context, opened func()) {
	defer opened()
	for f.pace.Wait(ctx) == nil {
		conn, err := f.dialer.dial(ctx)
		opened()
		if err != nil {
			f.noteRefused(ctx)
			continue
		}
		f.counter.add(func(t *Tally) { t.Opened++ })
		closeAtEnd := context.AfterFunc(ctx, func() { _ = conn.Close() })
		cut := f.use(ctx, conn)
		if closeAtEnd() {
			_ = conn.Close()
			if cut {
				f.counter.add(func(t *Tally) { t.Cut++ })
			}
		}
	}
}

// noteRefused counts a connection that could not be opened, and waits a moment.
func (f *Flood) noteRefused(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	f.counter.add(func(t *Tally) { t.Refused++ })
	select {
	case <-ctx.Done():
	case <-time.After(againAfter):
	}
}

// use attacks through a connection. It returns true if ingress ended the connection.
func (f *Flood) use(ctx context.Context, conn net.Conn) (cut bool) {
	in := bufio.NewReader(conn)
	if !f.send(conn) {
		_ = f.readAnswer(in) // ingress may refuse a large body before its end
		return true
	}
	for {
		err := f.readAnswerInTime(conn, in)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if _, err := conn.Write([]byte("a")); err != nil {
				return true
			}
		case err != nil:
			return true
		case f.attack.then != repeat:
		case f.dialer.sources > 1:
			return false // the next opening comes from another address
		case f.pace.Wait(ctx) != nil:
			return false
		case !f.send(conn):
			return true
		}
	}
}

// send sends the opening. It returns false if the connection ended before.
func (f *Flood) send(conn net.Conn) bool {
	if _, err := conn.Write(f.opening); err != nil {
		return false
	}
	f.counter.add(func(t *Tally) { t.Sent++ })
	return true
}

// readAnswerInTime reads and counts an answer. A connection that drips waits only until the next
// byte is due: then the error is os.ErrDeadlineExceeded.
func (f *Flood) readAnswerInTime(conn net.Conn, in *bufio.Reader) error {
	if f.attack.then == drip {
		if err := conn.SetReadDeadline(time.Now().Add(dripEvery)); err != nil {
			return err
		}
	}
	return f.readAnswer(in)
}

func (f *Flood) readAnswer(in *bufio.Reader) error {
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	f.counter.add(func(t *Tally) { t.Answers[answer.StatusCode]++ })
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}
