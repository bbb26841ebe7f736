package client

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
)

// KeptBytesMax is the size of the largest records with a single pass.
const KeptBytesMax = keptBytesMax

// CheckGrant looks for the resources in the filters of a team's durable.
func CheckGrant(team, durable string, filters []string, resources []schema.Resource) error {
	return Subscription{Durable: durable, Resources: resources}.checkGrant(team,
		jetstream.ConsumerConfig{FilterSubjects: filters})
}

// NewStored returns a completion whose records come from fetch, chunk by chunk.
func NewStored(
	ref schema.RecordsRef, fetch func(ctx context.Context, subject string) ([]byte, error),
) *Completion {
	c := &Completion{fetch: fetch}
	c.Data.RecordsRef = &ref
	return c
}

// Split cuts the text of an array into its elements. The text comes in two parts, cut at a place.
func Split(text []byte, at int) (elements []string, err error) {
	split := splitter{each: func(element json.RawMessage) error {
		elements = append(elements, string(element))
		return nil
	}}
	if err := split.add(text[:at]); err != nil {
		return elements, err
	}
	if err := split.add(text[at:]); err != nil {
		return elements, err
	}
	return elements, split.end()
}
