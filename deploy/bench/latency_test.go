package bench

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answering is a receiver of webhooks without a network.
type answering func(*http.Request) int

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a(r), Body: io.NopCloser(strings.NewReader("{}")), Request: r,
	}, nil
}

// sendTen sends 10 requests at 10 a second, in virtual time.
func sendTen(t *testing.T, receiver answering) (times, error) {
	t.Helper()
	requests := make([]request, 10)
	for i := range requests {
		requests[i] = request{provider: "pinwheel", id: fmt.Sprint(i), header: http.Header{}}
	}
	client := &http.Client{Transport: receiver}
	due, answers, err := sendAtRate(t.Context(), client, "http://test/", requests, 10)
	if err == nil && len(due) != len(requests) {
		t.Errorf("%d events were due, want %d", len(due), len(requests))
	}
	return answers, err
}

func TestAStallCountsForEveryRequestThatWasDueMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stallEnds := time.Now().Add(900 * time.Millisecond)
		got, err := sendTen(t, func(*http.Request) int {
			time.Sleep(time.Until(stallEnds)) //nolint:forbidigo // virtual time
			return http.StatusOK
		})
		if err != nil {
			t.Fatal(err)
		}
		var want times
		for i := range 10 {
			want = append(want, time.Duration(9-i)*100*time.Millisecond)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
	})
}

func TestARateThatIsNotReachedIsSaid(t *testing.T) {
	for promise, test := range map[string]struct {
		receiver func() answering
		says     string
	}{
		"by a receiver that is slower": {func() answering {
			turn := make(chan struct{}, 1)
			return func(*http.Request) int {
				turn <- struct{}{}
				time.Sleep(time.Second) //nolint:forbidigo // virtual time
				<-turn
				return http.StatusOK
			}
		}, "10 a second is not reached, but 1"},
		"by a receiver that refuses": {func() answering {
			return func(*http.Request) int { return http.StatusServiceUnavailable }
		}, "10 a second is not reached: answered 503 {}"},
	} {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := sendTen(t, test.receiver())
				unreached, ok := errors.AsType[*unreachedError](err)
				if !ok || unreached.Error() != test.says {
					t.Errorf("%v, want %q", err, test.says)
				}
			})
		})
	}
}

func TestTheReportHasTheQuantilesOrTheReasonForNone(t *testing.T) {
	thousand := make(times, 1000)
	for i := range thousand {
		thousand[i] = time.Duration(i) * time.Millisecond
	}
	var text strings.Builder
	results{latency: []latency{{
		name: "small snapshots", perS: 250,
		lines: pair[timing]{
			ours: timing{parts: []part{
				{"webhook → 200", thousand}, {"webhook → completion", thousand[500:]},
			}},
			least: timing{unreached: "250 a second is not reached, but 99"},
		},
	}}}.printLatency(&text)
	const want = "\nlatency at a constant rate, ms\tours p50\tp99\tp999\tleast p50\tp99\tp999\n" +
		"small snapshots, 250 a second\t\t\t\t\t\t\n" +
		"  least: 250 a second is not reached, but 99\n" +
		"  webhook → 200\t500.0\t990.0\t999.0\t\t\t\n" +
		"  webhook → completion\t750.0\t995.0\t999.0\t\t\t\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("the report differs (-want +got):\n%s", diff)
	}
}
