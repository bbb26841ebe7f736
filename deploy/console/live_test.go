package console

import (
	"context"
	"net/http"
	"testing"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// listen opens a stream of changes, and returns the status of the answer and the end of the page.
func (b *bench) listen(token string) (status int, end func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.pages.URL+"/changes", nil)
	b.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	got, err := http.DefaultClient.Do(r)
	b.must(err)
	return got.StatusCode, func() {
		cancel()
		_ = got.Body.Close()
	}
}

func TestNobodyTakesThePlacesOfOthers(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	b.wants(b.ask(http.MethodHead, "/changes", ritaToken, nil), http.StatusOK)
	var endLast func()
	for i := range openShare {
		status, end := b.listen(ritaToken)
		defer end()
		if status != http.StatusOK {
			t.Fatalf("page %d of rita: %d", i+1, status)
		}
		endLast = end
	}
	b.wants(b.get("/changes", ritaToken), http.StatusServiceUnavailable, "Too many pages are open")
	status, end := b.listen(annaToken)
	defer end()
	if status != http.StatusOK {
		t.Errorf("anna has no place: %d", status)
	}
	endLast()
	streamtest.Eventually(t, "a closed page leaves its place", func() bool {
		status, end := b.listen(ritaToken)
		defer end()
		return status == http.StatusOK
	})
}
