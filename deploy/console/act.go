package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/xhit/go-str2duration/v2"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
)

// actFor is how long a form may change the broker. It is less than process.Serve gives a request in
// hand, so that the end of the console does not cut off the answer.
const actFor = 5 * time.Second

// queueAction is what a form wants of a queue.
type queueAction struct {
	// fields are the values of the form, for the log.
	fields []zap.Field
	// do returns what was done, as a sentence.
	do func(context.Context, schema.Queue) (string, error)
}

// onQueue answers a form about the queue of the address, and leads the browser back to the page of
// the queue. The log has a line before and a line after.
func (c *Console) onQueue(
	name string, read func(*http.Request) (queueAction, error),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, exists := schema.QueueNamed(r.PathValue("queue"))
		if !exists {
			c.failQueue(w, r)
			return
		}
		action, err := read(r)
		if err != nil {
			c.fail(w, r, http.StatusBadRequest, "Nothing was done: "+err.Error()+".")
			return
		}
		log := func(what string, more ...zap.Field) {
			fields := slices.Concat([]zap.Field{zap.String("queue", q.Name)}, action.fields, more)
			c.audit(r, personOf(r), what, fields...)
		}
		log(name)
		hasEnded := false
		defer func() {
			if !hasEnded {
				log(name+" failed", zap.String("error", "panic"))
			}
		}()
		done, err := c.act(r, q, action)
		hasEnded = true
		if err != nil {
			log(name+" failed", zap.Error(err))
			c.fail(w, r, http.StatusServiceUnavailable, sentence(err.Error()))
			return
		}
		log(name+" done", zap.String("result", done))
		to := c.results.add(string(queuePath(q.Name)), done, time.Now())
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// act does an action within limits. The action goes on if the person leaves the page: the log says
// how it ended.
func (c *Console) act(r *http.Request, q schema.Queue, action queueAction) (string, error) {
	if err := c.op.Connected(); err != nil {
		return "", fmt.Errorf("nothing was done: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), actFor)
	defer cancel()
	if !enter(ctx, c.lookups, actFor) {
		return "", errors.New("nothing was done, because other pages are being read: try again")
	}
	defer func() { <-c.lookups }()
	done, err := action.do(ctx, q)
	switch {
	case err == nil:
		return done, nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("NATS did not answer within %s: it may be half done, so look again",
			actFor)
	default:
		return "", fmt.Errorf("%w: it may be half done, so look again", advice.On(err))
	}
}

// readPause reads the form of a pause: for the length in it, or until somebody resumes.
func (c *Console) readPause(r *http.Request) (queueAction, error) {
	lasts := trace.PauseForever
	if text := r.PostFormValue("for"); text != "" {
		length, err := str2duration.ParseDuration(text)
		if err != nil || length <= 0 {
			return queueAction{}, errors.New("for: write 90m, 2h or 1d, or nothing for a pause " +
				"until somebody resumes")
		}
		lasts = min(length, trace.PauseForever)
	}
	until := time.Now().Add(lasts)
	pause := func(ctx context.Context, q schema.Queue) (string, error) {
		err := c.op.Pause(ctx, q, until)
		return fmt.Sprintf("%s is paused %s", q.Name, trace.PauseEnd(until, time.Now())), err
	}
	return queueAction{[]zap.Field{zap.Time("until", until)}, pause}, nil
}

// readResume reads the form that ends a pause. The form has no values.
func (c *Console) readResume(*http.Request) (queueAction, error) {
	return queueAction{do: func(ctx context.Context, q schema.Queue) (string, error) {
		wasPaused, err := c.op.Resume(ctx, q)
		if !wasPaused {
			return q.Name + " was not paused", err
		}
		return q.Name + " is resumed", err
	}}, nil
}
