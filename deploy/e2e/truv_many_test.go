package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/wagewire/wagewire/schema"
)

// manyShifts is how many shifts a link has whose person drives or delivers for some years.
const manyShifts = 20_000

// shiftOf is the nth shift, with amounts as Truv writes them.
func shiftOf(n int) string {
	return fmt.Sprintf(`{"id":"shift-%05d","start_date":"2026-01-02","earnings":[{"amount":"%d.10"}]}`,
		n, n)
}

// serveManyShifts answers a page of a link's shifts.
func serveManyShifts(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.Atoi(r.URL.Query().Get("page_size"))
	if err != nil || !strings.HasSuffix(r.URL.Path, "/shifts/") {
		http.NotFound(w, r)
		return
	}
	page := 1
	if r.URL.Query().Has("page") {
		page, err = strconv.Atoi(r.URL.Query().Get("page"))
	}
	if err != nil || page < 1 || (page-1)*size >= manyShifts {
		http.NotFound(w, r)
		return
	}
	var shifts []string
	for n := (page - 1) * size; n < min(page*size, manyShifts); n++ {
		shifts = append(shifts, shiftOf(n))
	}
	next := "null"
	if page*size < manyShifts {
		next = fmt.Sprintf(`"https://elsewhere.invalid/?page=%d"`, page+1)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, fmt.Sprintf(`{"count":%d,"next":%s,"previous":null,"results":[%s]}`,
		manyShifts, next, strings.Join(shifts, ",")))
}

// One webhook announces 20,000 shifts. The completion has each of them once, byte for byte.
func TestALinkWithManyShiftsIsCompletedOnce(t *testing.T) {
	t.Parallel()
	s := upInProcess(t, startBesideTruv(t, http.HandlerFunc(serveManyShifts),
		tracetest.NewSpanRecorder()), map[string]string{"TRUV_RATE_PER_S": "1000"})
	id := s.sendTruv(t, "shifts-created", "many", manyShifts)
	c := s.completed(t, id)
	if c.Data.Outcome != schema.Succeeded || c.Data.Attempts != 1 || c.Data.Stale {
		t.Fatalf("ended %s at attempt %d, stale %t: %+v", c.Data.Outcome, c.Data.Attempts,
			c.Data.Stale, c.Data.Error)
	}
	records, err := s.recordsOf(c)
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for n := range manyShifts {
		missing[shiftOf(n)] = true
	}
	for _, record := range records {
		if !missing[string(record)] {
			t.Fatalf("a record is there twice, or is not Truv's: %s", record)
		}
		delete(missing, string(record))
	}
	if len(missing) > 0 {
		t.Errorf("%d of %d shifts are missing", len(missing), manyShifts)
	}
}
