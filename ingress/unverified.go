package ingress

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/wagewire/wagewire/ingress/webhook"
	"github.com/wagewire/wagewire/schema"
)

// sender is who a request comes from, before the request is verified.
type sender struct {
	peer netip.Prefix
	rank rank
	// conn is nil in a request that came over no connection.
	conn *connection
}

// meet returns the sender of a request.
func (s *Server) meet(r *http.Request) sender {
	from := sender{peer: s.config.TrustedProxies.peerOf(r)}
	conn, ok := r.Context().Value(connectionKey{}).(*connection)
	if ok {
		from.conn = conn
		from.rank = conn.begin(from.peer)
	} else {
		from.rank = rankOf(&s.known, from.peer)
	}
	return from
}

// gone returns a channel that is closed when the sender's connection is. It is nil if there is no
// connection.
func (f sender) gone() <-chan struct{} {
	if f.conn == nil {
		return nil
	}
	return f.conn.gone
}

// cutOff ends the request of a sender at once, without an answer.
func (s *Server) cutOff(from sender) {
	if from.conn != nil {
		from.conn.cutOff()
	}
	s.countCutOff(cutBytes)
}

// countCutOff counts a connection that is cut off.
func (s *Server) countCutOff(reason string) {
	s.metrics.cutOff.WithLabelValues(reason).Inc()
	s.refusals.count("cut_off_" + reason)
}

// receive reads and verifies a webhook. All that the request holds until receive returns without an
// error may be taken from it at any time.
func (s *Server) receive(
	w http.ResponseWriter, r *http.Request, p schema.Provider,
) (webhook.Received, error) {
	from := s.meet(r)
	if err := webhook.CheckHeaders(p, r.Header); err != nil {
		return webhook.Received{}, s.refusal(r.Header, from.peer, err)
	}
	seat := s.room.enter(from, func() { s.cutOff(from) }, time.Now())
	defer seat.leave()
	in, err := s.read(w, r, p, seat)
	if err != nil {
		return in, err
	}
	if err := s.verify(in, from.peer); err != nil {
		return in, err
	}
	s.noteVerified(from)
	return in, nil
}

// noteVerified remembers a sender whose webhook is verified.
func (s *Server) noteVerified(from sender) {
	if _, ok := s.known.get(from.peer); !ok {
		s.known.add(from.peer, struct{}{})
		s.room.promote(from.peer)
		s.connections.promote(from.peer)
	}
	if from.conn != nil {
		from.conn.verified()
	}
}

const (
	// BodyFreeBytes is how much of a body is read without a place in the room: nearly all webhooks
	// are smaller.
	BodyFreeBytes = 16 << 10
	// bodyPartBytes is how much of a body must arrive to count as progress.
	bodyPartBytes = 16 << 10
)

// read reads the body. The buffer doubles, at most to the declared length, and each step is taken
// from the room when the bytes before have arrived.
func (s *Server) read(
	w http.ResponseWriter, r *http.Request, p schema.Provider, seat *seat,
) (webhook.Received, error) {
	if r.ContentLength > BodyBytesMax {
		err := &http.MaxBytesError{Limit: BodyBytesMax}
		return webhook.Received{}, fmt.Errorf("%w: %w", errBody, err)
	}
	body, err := readBody(seat, http.MaxBytesReader(w, r.Body, BodyBytesMax), r.ContentLength)
	if cut := seat.complete(); cut != nil {
		err = cut
	}
	if err != nil {
		return webhook.Received{}, fmt.Errorf("%w: %w", errBody, err)
	}
	return webhook.Received{Provider: p, Header: r.Header, Body: body, At: time.Now()}, nil
}

// readBody reads to the end. declared is the length that the sender declared, or -1.
func readBody(seat *seat, from io.Reader, declared int64) ([]byte, error) {
	body := make([]byte, 0, nextBodyCap(0, declared))
	for parts := 0; ; {
		if len(body) == cap(body) {
			larger := nextBodyCap(cap(body), declared)
			if err := seat.grow(int64(larger - cap(body))); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, larger), body...)
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
		if len(body)/bodyPartBytes > parts {
			parts = len(body) / bodyPartBytes
			seat.progress(time.Now())
		}
	}
}

// nextBodyCap returns the next capacity of a body's buffer: twice the last one, but at most what
// the declared length needs, with a byte to spare for the end to be seen.
func nextBodyCap(last int, declared int64) int {
	doubled := max(BodyFreeBytes, 2*last)
	if whole := int(declared) + 1; last < whole && whole < doubled {
		return whole
	}
	return min(doubled, max(BodyBytesMax+1, last+1))
}
