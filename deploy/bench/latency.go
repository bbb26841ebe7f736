package bench

import "context"

// latency is filled by measureLatency.
type latency struct{}

func (b *bench) measureLatency(context.Context, pair[*line], *results) error { return nil }
