package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/xhit/go-str2duration/v2"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/advice"
	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/retry"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// actFor is how long a form may change the broker.
	actFor = time.Minute
	// retryMax is how many waiting events a form tries: it takes a few seconds.
	retryMax = 10_000
)

// onQueue answers a form about the queue of the address. The work returns what it did, as a
// sentence, and the browser is led back to the page of the queue. The log has a line before and a
// line after.
func (c *Console) onQueue(
	action string, work func(context.Context, *http.Request, schema.Queue) (string, error),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, exists := schema.QueueNamed(r.PathValue("queue"))
		if !exists {
			c.failQueue(w, r)
			return
		}
		// The action goes on if the person leaves the page: the log says how it ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), actFor)
		defer cancel()
		who := personOf(r)
		c.audit(r, who, action, zap.String("queue", q.Name))
		done, err := work(ctx, r, q)
		if err != nil {
			err = advice.On(err)
			c.audit(r, who, action+" failed", zap.String("queue", q.Name), zap.Error(err))
			c.failAction(w, r, err)
			return
		}
		c.audit(r, who, action+" done", zap.String("queue", q.Name), zap.String("result", done))
		to := c.results.add(string(queuePath(q.Name)), done, time.Now())
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// errForm is wrapped by errors of a form that say what to write.
var errForm = errors.New("nothing was done")

func (c *Console) failAction(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, errForm) {
		status = http.StatusBadRequest
	}
	c.fail(w, r, status, err.Error())
}

// pause pauses a queue for the length in the form, or until somebody resumes.
func (c *Console) pause(
	ctx context.Context, r *http.Request, q schema.Queue,
) (string, error) {
	lasts := trace.PauseForever
	if text := r.PostFormValue("for"); text != "" {
		length, err := str2duration.ParseDuration(text)
		if err != nil || length <= 0 {
			return "", fmt.Errorf("%w: for: write 90m, 2h or 1d, or nothing for a pause until "+
				"somebody resumes", errForm)
		}
		lasts = min(length, trace.PauseForever)
	}
	now := time.Now()
	until := now.Add(lasts)
	if err := c.op.Pause(ctx, q, until); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is paused %s", q.Name, trace.PauseEnd(until, now)), nil
}

// resume ends the pause of a queue.
func (c *Console) resume(
	ctx context.Context, _ *http.Request, q schema.Queue,
) (string, error) {
	wasPaused, err := c.op.Resume(ctx, q)
	if err != nil {
		return "", err
	}
	if !wasPaused {
		return q.Name + " was not paused", nil
	}
	return q.Name + " is resumed", nil
}

// retryView is what the plan of a retry shows.
type retryView struct {
	schema.Queue
	retry.Choice

	chosen []stream.Waiting
	isCut  bool
	// rest says why the queue takes no events, in sentences.
	rest []string
	now  time.Time
}

// until is when the youngest of the planned waits began.
func (v retryView) until() string {
	var last time.Time
	for _, w := range v.chosen {
		if w.Since.After(last) {
			last = w.Since
		}
	}
	return last.Format(time.RFC3339Nano)
}

// command is the command line that does the same.
func (v retryView) command() string {
	line := "wagewire retry " + v.Name
	if v.Class != "" {
		line += " --class " + string(v.Class)
	}
	return line
}

// planRetry shows what a retry would do.
func (c *Console) planRetry(w http.ResponseWriter, r *http.Request) {
	q, exists := schema.QueueNamed(r.PathValue("queue"))
	if !exists {
		c.failQueue(w, r)
		return
	}
	choice, err := retryChoice(q, r.FormValue("class"))
	if err != nil {
		c.failAction(w, r, err)
		return
	}
	c.lookUp(w, r, false, func(ctx context.Context) (err error) {
		view := retryView{Queue: q, Choice: choice, now: time.Now()}
		view.chosen, view.isCut, err = retry.Find(ctx, c.op, choice, retryMax)
		if err != nil {
			return err
		}
		view.rest, err = c.readRest(ctx, q, view.now)
		if err != nil {
			return err
		}
		c.render(w, r, http.StatusOK, page{title: "Retry " + q.Name}, retryPage(view))
		return nil
	})
}

func retryChoice(q schema.Queue, class string) (retry.Choice, error) {
	choice := retry.Choice{Queues: []string{q.Name}, Class: schema.Class(class)}
	if class != "" && !retry.IsClass(choice.Class) {
		return choice, fmt.Errorf("%w: class: write one of %s, or nothing for all", errForm,
			join(retry.Classes()))
	}
	return choice, nil
}

func (c *Console) readRest(
	ctx context.Context, q schema.Queue, now time.Time,
) ([]string, error) {
	refusals, err := trace.ReadRefusals(ctx, c.op)
	if err != nil {
		return nil, err
	}
	rest, err := trace.ReadRest(ctx, c.op, q, refusals)
	return rest.Lines(now), err
}

// retryNow tries the planned events, if they still wait. It ends early if the person loses the
// role, or the time is over, and says how many are left.
func (c *Console) retryNow(
	ctx context.Context, r *http.Request, q schema.Queue,
) (string, error) {
	choice, err := retryChoice(q, r.PostFormValue("class"))
	if err != nil {
		return "", err
	}
	planned, errPlanned := strconv.Atoi(r.PostFormValue("planned"))
	choice.Until, err = time.Parse(time.RFC3339Nano, r.PostFormValue("until"))
	if err != nil || errPlanned != nil {
		return "", fmt.Errorf("%w: the form has no plan: make it again", errForm)
	}
	chosen, _, err := retry.Find(ctx, c.op, choice, retryMax)
	if err != nil {
		return "", err
	}
	var done retry.Report
	left := ""
	for i, waiting := range chosen {
		err := c.mayGoOn(ctx, personOf(r))
		if err == nil {
			err = done.Try(ctx, c.op, waiting)
		}
		if err != nil {
			left = fmt.Sprintf("; stopped: %v; %s left", advice.On(err),
				plain.Count(len(chosen)-i, "event"))
			break
		}
	}
	done.Gone += max(0, planned-len(chosen))
	return done.String() + left, nil
}

// mayGoOn returns nil if the console runs, and the person may act at this moment.
func (c *Console) mayGoOn(ctx context.Context, who person) error {
	select {
	case <-c.done:
		return errors.New("the console stops")
	default:
	}
	return c.mayStill(ctx, who, RoleAct)
}
