package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/schema"
)

const (
	// underWayMax is how many plans may be made and runs be under way, and runsMax how many are
	// kept.
	underWayMax = 4
	// plannedMax is how many plans of a person wait for a start. Another replaces the oldest.
	plannedMax = 4
	runsMax    = 100
	// runsShown is how many finished runs the page of a shelf lists.
	runsShown = 10
)

var (
	errTooManyRuns = fmt.Errorf("%d plans and runs are under way: /dead and /quarantine list them",
		underWayMax)
	errClosed = errors.New("the console stops")
)

// runs are the runs of this process, in memory. A value is safe for concurrent use.
type runs struct {
	// hands has for each stream a channel with one place: see run.hands.
	hands map[string]chan struct{}
	// readers: see run.readers.
	readers chan struct{}
	working sync.WaitGroup

	mu       sync.Mutex
	all      []*run // oldest first
	isClosed bool
	isNew    bool // since the last change was told
	changed  chan struct{}
}

func newRuns() *runs {
	hands := map[string]chan struct{}{
		schema.DeadLettersStream: make(chan struct{}, 1),
		schema.QuarantineStream:  make(chan struct{}, 1),
	}
	for _, q := range schema.Queues() {
		hands[q.WaitingStream()] = make(chan struct{}, 1)
	}
	return &runs{
		hands: hands, readers: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// find returns the run with the id.
func (r *runs) find(id string) (*run, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.all, func(one *run) bool { return one.id == id })
	if i < 0 {
		return nil, false
	}
	return r.all[i], true
}

// of returns the unfinished runs of a board, and then the newest finished ones.
func (r *runs) of(b board) []*run {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	var unfinished, finished []*run
	for _, one := range slices.Backward(r.all) {
		switch {
		case one.task.board != b:
		case !one.get(now).State.isOver():
			unfinished = append(unfinished, one)
		case len(finished) < runsShown:
			finished = append(finished, one)
		}
	}
	return append(unfinished, finished...)
}

// add adds a run, unless too many are under way. The oldest plan of a person who has too many is
// cancelled, and the oldest finished run is forgotten.
func (r *runs) add(one *run) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isClosed {
		return errClosed
	}
	now := time.Now()
	underWay := 0
	var planned []*run // of the same person
	for _, other := range r.all {
		switch last := other.get(now); {
		case last.State == runPlanning, last.State == runRunning:
			underWay++
		case last.State == runPlanned && last.Planner == one.now.Planner:
			planned = append(planned, other)
		}
	}
	if underWay >= underWayMax {
		return errTooManyRuns
	}
	if len(planned) >= plannedMax {
		planned[0].replace()
	}
	isOver := func(one *run) bool { return one.get(now).State.isOver() }
	if oldest := slices.IndexFunc(r.all, isOver); len(r.all) >= runsMax && oldest >= 0 {
		r.all = slices.Delete(r.all, oldest, oldest+1)
	}
	r.all = append(r.all, one)
	return nil
}

// begin calls do in a new goroutine until close. After close it returns errClosed.
func (r *runs) begin(ctx context.Context, do func(context.Context)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isClosed {
		return errClosed
	}
	r.working.Go(func() { do(ctx) })
	return nil
}

// close ends every run. A message in hand is finished: see wait.
func (r *runs) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isClosed = true
	for _, one := range r.all {
		one.mu.Lock()
		one.cancel(errConsoleStops)
		one.mu.Unlock()
	}
}

func (r *runs) wait() { r.working.Wait() }

func (r *runs) note() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isNew = true
}

// tell tells open pages of changes since the last time.
func (r *runs) tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isNew {
		r.isNew = false
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

// change returns a channel. The next tell after a change of a report closes the channel.
func (r *runs) change() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// readTask reads a task from a form. An error names the right form.
func readTask(r *http.Request, b board) (task, error) {
	t := task{board: b, action: r.PostFormValue("do"), most: runMostDefault, rate: runRateDefault}
	if actions := b.actions(); !slices.Contains(actions, t.action) {
		return t, fmt.Errorf("do: write %s", strings.Join(actions, " or "))
	}
	for name, number := range map[string]struct {
		target *int
		most   int
	}{
		"most": {&t.most, runMostMax}, "rate": {&t.rate, runRateMax},
	} {
		text := strings.TrimSpace(r.PostFormValue(name))
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > number.most {
			return t, fmt.Errorf("%s: write a number from 1 to %d", name, number.most)
		}
		*number.target = n
	}
	return t, nil
}

// choose says which messages are meant: one of a number, or those of a filter.
func (t *task) choose(number uint64, filter []field) error {
	t.isFiltered = number == 0
	t.flags = flagsOf(filter)
	if number > 0 && len(filter) > 0 {
		return errors.New("number: write a number or a filter, and not both")
	}
	if number > 0 {
		t.flags = []string{strconv.FormatUint(number, 10)}
	}
	return nil
}

// readNumber reads the number of a single message, 0 if the filter chooses messages.
func readNumber(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || number == 0 {
		return 0, errors.New("number: write a number of the list")
	}
	return number, nil
}

// planRun begins a plan, and leads to its page.
func (c *Console) planRun(
	w http.ResponseWriter, r *http.Request, t task, what work, stream string,
) {
	if err := c.op.Connected(); err != nil {
		c.fail(w, r, http.StatusServiceUnavailable, "Nothing was planned: "+err.Error())
		return
	}
	who := actor{personOf(r), r.RemoteAddr}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	one := &run{
		id:      strings.ToLower(rand.Text()[:16]),
		task:    t,
		work:    what,
		hands:   c.runs.hands[stream],
		readers: c.runs.readers,
		may: func(ctx context.Context, p person) error {
			return c.mayStill(ctx, p, RoleAct)
		},
		connected: c.op.Connected,
		audit: func(who actor, action string, fields ...zap.Field) {
			c.auditOf(who.peer, who.person, action, fields...)
		},
		tell:   c.runs.note,
		actor:  who,
		cancel: cancel,
		now: report{
			State: runPlanning, Planner: who.name, PlannedAt: time.Now(),
			Preview: newTally(), Result: newTally(),
		},
	}
	if err := c.runs.add(one); err != nil {
		cancel(err)
		c.fail(w, r, http.StatusTooManyRequests, "Nothing was planned: "+err.Error()+".")
		return
	}
	one.log("plan "+t.action, zap.Int("most", t.most), zap.Int("rate", t.rate))
	c.beginRun(ctx, w, r, one, one.plan)
}

// log logs a line about the run, for the person at hand.
func (r *run) log(action string, fields ...zap.Field) {
	texts := make([]string, len(r.task.flags))
	for i, flag := range r.task.flags {
		texts[i] = plain.Text(flag)
	}
	r.audit(r.actor, action, append([]zap.Field{zap.String("run", r.id),
		zap.Strings("chosen", texts)}, fields...)...)
}

// beginRun begins to plan or to do a run, and leads to its page.
func (c *Console) beginRun(
	ctx context.Context, w http.ResponseWriter, r *http.Request, one *run,
	do func(context.Context),
) {
	if err := c.runs.begin(ctx, do); err != nil {
		one.end(ctx, runDone, err)
		c.fail(w, r, http.StatusServiceUnavailable, "Nothing was done: "+err.Error()+".")
		return
	}
	http.Redirect(w, r, "/runs/"+one.id, http.StatusSeeOther)
}

// runOf returns the run of the address. Without a run, the answer is 404.
func (c *Console) runOf(w http.ResponseWriter, r *http.Request) (*run, bool) {
	one, exists := c.runs.find(r.PathValue("id"))
	if !exists {
		c.fail(w, r, http.StatusNotFound, fmt.Sprintf("This run is not known. The console keeps "+
			"the newest %d, and forgets them when it starts again. Plan again: what is done is "+
			"not done twice.", runsMax))
	}
	return one, exists
}

func (c *Console) showRun(w http.ResponseWriter, r *http.Request) {
	one, exists := c.runOf(w, r)
	if !exists {
		return
	}
	view := runView{one.task, one.get(time.Now()), one.id, personOf(r).has(RoleAct)}
	p := page{title: view.title(), isLive: true, on: "run"}
	c.render(w, r, http.StatusOK, p, runPage(view))
}

// startRun starts a plan. A discard needs the number of the messages.
func (c *Console) startRun(w http.ResponseWriter, r *http.Request) {
	one, exists := c.runOf(w, r)
	if !exists {
		return
	}
	who := actor{personOf(r), r.RemoteAddr}
	refuse := func(status int, why string) {
		c.audit(r, who.person, one.task.action+" refused", zap.String("run", one.id),
			zap.String("why", why))
		c.fail(w, r, status, why)
	}
	chosen := one.get(time.Now()).Chosen
	typed := strings.TrimSpace(r.PostFormValue("count"))
	if one.task.action == discard && typed != strconv.Itoa(chosen) {
		refuse(http.StatusBadRequest, fmt.Sprintf(
			"Nothing was deleted: go back and type %d, the number of %ss.", chosen, one.task.noun))
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	if err := one.start(who, cancel); err != nil {
		cancel(err)
		refuse(http.StatusConflict, err.Error())
		return
	}
	one.log(one.task.action, zap.Int("messages", chosen))
	c.beginRun(ctx, w, r, one, one.do)
}

func (c *Console) cancelRun(w http.ResponseWriter, r *http.Request) {
	one, exists := c.runOf(w, r)
	if !exists {
		return
	}
	p := personOf(r)
	if err := one.stop(p); err != nil {
		c.fail(w, r, http.StatusConflict, err.Error())
		return
	}
	c.audit(r, p, "cancel "+one.task.action, zap.String("run", one.id))
	http.Redirect(w, r, "/runs/"+one.id, http.StatusSeeOther)
}
