package ingress

import "sync"

// hand is the verified webhooks in hand. Nothing unverified takes a place in it.
type hand struct {
	mu       sync.Mutex
	count    int
	countMax int
	bytes    int64
	bytesMax int64
}

// take takes a webhook, and returns false if there are too many, or too many bytes of them. If take
// returns true, the caller must call giveBack later.
func (h *hand) take(body []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count >= h.countMax || h.bytes+int64(len(body)) > h.bytesMax {
		return false
	}
	h.count++
	h.bytes += int64(len(body))
	return true
}

func (h *hand) giveBack(body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count--
	h.bytes -= int64(len(body))
}

func (h *hand) webhooks() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}
