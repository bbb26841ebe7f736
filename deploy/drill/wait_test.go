package drill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wagewire/wagewire/deploy/health"
)

// exitBad is the exit code of wagewire status with the verdict BAD.
const exitBad = 4

// active is a finding of the metrics.
type active struct{ finding, about, severity string }

// seconds are how long status and the metrics took.
type seconds struct{ status, metrics time.Duration }

func (s seconds) largest() time.Duration { return max(s.status, s.metrics) }

// named FINDING [ABOUT]
func (d *drill) named(_ *testscript.TestScript, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errUsage
	}
	finding := args[0]
	isKind := func(k health.Kind) bool { return string(k.Name) == finding }
	if !slices.ContainsFunc(health.Kinds(), isKind) {
		return fmt.Errorf("there is no finding %s", finding)
	}
	took, err := d.await(
		func(verdict string) bool {
			return strings.HasSuffix(verdict, "(wagewire explain "+finding+")")
		},
		func(all []active) bool {
			return slices.ContainsFunc(all, func(a active) bool {
				return a.finding == finding && (len(args) == 1 || a.about == args[1])
			})
		})
	if err != nil {
		return fmt.Errorf("%s: %w", finding, err)
	}
	d.t.Logf("%s named by status after %.1f s, by metrics after %.1f s",
		finding, took.status.Seconds(), took.metrics.Seconds())
	d.results.addNamed(d.name, took)
	if *within > 0 && took.largest() > *within {
		return fmt.Errorf("%s was named after %s, want within %s", finding, took.largest(), *within)
	}
	return nil
}

// well
func (d *drill) well(_ *testscript.TestScript, args []string) error {
	if len(args) != 0 {
		return errUsage
	}
	took, err := d.await(
		func(verdict string) bool { return strings.HasPrefix(verdict, "OK ") },
		func(all []active) bool {
			return !slices.ContainsFunc(all, func(a active) bool {
				return a.severity != string(health.Note)
			})
		})
	if err != nil {
		return err
	}
	d.t.Logf("well by status after %.1f s, by metrics after %.1f s",
		took.status.Seconds(), took.metrics.Seconds())
	d.results.addWell(d.name, took)
	return nil
}

// await waits for the verdict of wagewire status and for the findings of the metrics, and says how
// long after the last wait each came.
func (d *drill) await(
	verdict func(string) bool, findings func([]active) bool,
) (took seconds, err error) {
	began := d.since
	err = d.until(func() error {
		var byStatus, byMetrics error
		if took.status == 0 {
			if byStatus = d.lookAtStatus(verdict); byStatus == nil {
				took.status = time.Since(began)
			}
		}
		if took.metrics == 0 {
			if byMetrics = d.lookAtMetrics(findings); byMetrics == nil {
				took.metrics = time.Since(began)
			}
		}
		return errors.Join(byStatus, byMetrics)
	})
	d.since = time.Now()
	return took, err
}

// lookAtStatus executes wagewire status. The exit code must be that of the verdict.
func (d *drill) lookAtStatus(verdict func(string) bool) error {
	ctx, cancel := context.WithTimeout(d.ctx, askFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, "wagewire"), "status")
	cmd.Env = d.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		return err
	}
	first, _, _ := strings.Cut(string(out), "\n")
	want := 0
	if strings.HasPrefix(first, "BAD ") {
		want = exitBad
	}
	if code := cmd.ProcessState.ExitCode(); code != want || !verdict(first) {
		return fmt.Errorf("status ended with %d: %s%s", code, out, &stderr)
	}
	return nil
}

// findingActive is a line of the metrics about an active finding.
var findingActive = regexp.MustCompile(
	`^wagewire_finding_active\{about="(.*)",finding="(.*)",severity="(.*)"\} 1$`)

func (d *drill) lookAtMetrics(findings func([]active) bool) error {
	ctx, cancel := context.WithTimeout(d.ctx, askFor)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"http://"+d.metrics+"/metrics", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	all := []active{}
	isRead := false // is a reading of the broker among the metrics
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		isRead = isRead || strings.HasPrefix(lines.Text(), "wagewire_up ")
		if m := findingActive.FindStringSubmatch(lines.Text()); m != nil {
			all = append(all, active{about: m[1], finding: m[2], severity: m[3]})
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !isRead || !findings(all) {
		return fmt.Errorf("the metrics have the findings %v", all)
	}
	return nil
}

// table has the results of all drills.
type table struct {
	mu   sync.Mutex
	rows map[string]*row
}

// row is the longest waits of a drill.
type row struct{ named, well seconds }

// addNamed notes how long a fault had no name.
func (t *table) addNamed(drill string, s seconds) {
	t.change(drill, func(r *row) { r.named = longer(r.named, s) })
}

// addWell notes how long it took until all was well.
func (t *table) addWell(drill string, s seconds) {
	t.change(drill, func(r *row) { r.well = longer(r.well, s) })
}

func (t *table) change(drill string, change func(*row)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = map[string]*row{}
	}
	if t.rows[drill] == nil {
		t.rows[drill] = &row{}
	}
	change(t.rows[drill])
}

// forget deletes the row of the drill.
func (t *table) forget(drill string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, drill)
}

func longer(a, b seconds) seconds {
	return seconds{max(a.status, b.status), max(a.metrics, b.metrics)}
}

// String is a line for each drill.
func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ndrill\tnamed by status s\tby metrics s\tOK by status s\tby metrics s\t")
	var names []string
	for name := range t.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r := t.rows[name]
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t\n", name,
			r.named.status.Seconds(), r.named.metrics.Seconds(),
			r.well.status.Seconds(), r.well.metrics.Seconds())
	}
	_ = w.Flush() // a strings.Builder takes every write
	return text.String()
}
