package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wagewire/wagewire/workers/api"
)

const mib = 1 << 20

// spread replies with a body of so many bytes and the announced length. The end of the body is a
// second late.
func spread(bytes int, length int64) reply {
	return func(r *http.Request) (*http.Response, error) {
		late := strings.Repeat(" ", bytes-2)
		body := io.MultiReader(strings.NewReader("{}"), strings.NewReader(late), lateEOF{r.Context()})
		return replyBody(body, length)(r)
	}
}

// lateEOF ends a body after a second, or when its call ends.
type lateEOF struct{ ctx context.Context }

func (l lateEOF) Read([]byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return 0, io.EOF
	case <-l.ctx.Done():
		return 0, l.ctx.Err()
	}
}

func TestAMemoryCountsWhatIsHeld(t *testing.T) {
	for _, row := range []struct {
		promise    string
		reply      reply
		held, peak int64
	}{
		{"an answer of known length, once", spread(3*mib, 3*mib), 3 * mib, 3 * mib},
		{"a small answer of unknown length, once", spread(1000, -1), 1000, 1000},
		{"a large answer of unknown length, twice the largest until it is read",
			spread(3*mib, -1), 3 * mib, 2 * api.BodyBytesMax},
		{"an answer that is not JSON, until it is refused",
			replyBody(strings.NewReader("<html>"), 6), 0, 6},
		{"an answer that is cut, until it is refused",
			replyBody(io.LimitReader(strings.NewReader("{} "), 2), 3), 0, 3},
		{"an answer over the limit, never",
			replyBody(strings.NewReader("{}"), api.BodyBytesMax+1), 0, 0},
		{"an answer of unknown length over the limit, until it is refused",
			replyBody(&spaces{}, -1), 0, 2 * api.BodyBytesMax},
		{"another status than 200, never", replyWith(404, "{}"), 0, 0},
	} {
		t.Run(row.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := api.NewMemory(api.MemoryMin)
				c := client(t, &fake{replies: []reply{row.reply}},
					func(s *settings) { s.Answers = memory })
				answer, _ := c.Get(t.Context(), things)
				if held, peak := memory.Held(); held != row.held || peak != row.peak {
					t.Errorf("held %d, at most %d; want %d and %d", held, peak, row.held, row.peak)
				}
				answer.Release()
				answer.Release()
				if held, _ := memory.Held(); held != 0 {
					t.Errorf("%d held after the release", held)
				}
			})
		})
	}
}

func TestCallsWaitForRoomInTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := api.NewMemory(api.MemoryMin)
		c := client(t, &fake{replies: []reply{spread(mib, -1)}},
			func(s *settings) { s.Answers = memory })
		var all sync.WaitGroup
		began := time.Now()
		for range 5 {
			all.Go(func() {
				answer, err := c.Get(t.Context(), things)
				if err != nil {
					t.Error(err)
				}
				answer.Release()
			})
		}
		all.Wait()
		if held, peak := memory.Held(); held != 0 || peak > api.MemoryMin {
			t.Errorf("held %d at the end, %d at most; the memory is %d", held, peak, api.MemoryMin)
		}
		// There is room to read one answer of unknown length at a time, and each takes a second.
		if took := time.Since(began); took < 5*time.Second {
			t.Errorf("all were read within %v", took)
		}
	})
}

func TestTheWaitForRoomIsNotCountedAsTimeOfTheTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := api.NewMemory(api.MemoryMin)
		f := &fake{replies: []reply{spread(api.BodyBytesMax, api.BodyBytesMax)}}
		c := client(t, f, func(s *settings) { s.Answers = memory })
		var held []api.Answer
		for range api.MemoryMin / api.BodyBytesMax {
			answer, err := c.Get(t.Context(), things)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, answer)
		}
		time.AfterFunc(10*api.TryFor, func() {
			for _, answer := range held {
				answer.Release()
			}
		})
		calls := f.callCount()
		answer, err := c.Get(t.Context(), things)
		if err != nil {
			t.Fatal(err)
		}
		answer.Release()
		if n := f.callCount() - calls; n != 1 {
			t.Errorf("%d calls, want the one that waited", n)
		}
	})
}

func TestTheEndOfCtxEndsTheWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := api.NewMemory(api.MemoryMin)
		c := client(t, &fake{replies: []reply{spread(api.BodyBytesMax, api.BodyBytesMax)}},
			func(s *settings) { s.Answers = memory })
		for range api.MemoryMin / api.BodyBytesMax {
			if _, err := c.Get(t.Context(), things); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := c.Get(ctx, things); kind(err) != context.DeadlineExceeded.Error() {
			t.Errorf("error %v", err)
		}
	})
}

func TestPagesReleaseAPageBeforeTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := api.NewMemory(api.MemoryMin)
		c := client(t, &fake{replies: []reply{spread(mib, mib)}},
			func(s *settings) { s.Answers = memory })
		pages := api.Pages("/v1/things", func(cursor string) (page api.Page, next string, err error) {
			page.Answer, err = c.Get(t.Context(), things)
			if len(cursor) == 5 {
				return page, "", &api.ContractError{Endpoint: "/v1/things", Why: "broken"}
			}
			return page, cursor + "x", err
		})
		var last error
		for _, err := range pages {
			last = err
			if held, _ := memory.Held(); held != mib {
				t.Errorf("%d held, want one page", held)
			}
		}
		if kind(last) != "contract: broken" {
			t.Errorf("the list ends with %v", last)
		}
		if held, peak := memory.Held(); held != 0 || peak != mib {
			t.Errorf("%d held after the list, %d at most", held, peak)
		}
	})
}
