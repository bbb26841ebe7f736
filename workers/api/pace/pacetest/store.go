// Package pacetest has a store for the tests of paced calls.
package pacetest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// Store is a pace.Store in memory, for all processes of a test. The zero value is an empty store.
type Store struct {
	// Ahead is how far its clock is ahead of the test's.
	Ahead time.Duration
	// Takes is how long a request takes at most. 0: no time.
	Takes time.Duration
	// AlwaysTakes is how long each request takes, besides.
	AlwaysTakes time.Duration

	mu       sync.Mutex
	budget   schema.Budget
	revision uint64
	fault    error // of Load and Swap, if not nil
	watchers map[int]func(schema.Budget, uint64)
	watched  int
	requests int
}

func (s *Store) delay(ctx context.Context) error {
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	takes := s.AlwaysTakes
	if s.Takes > 0 {
		takes += rand.N(s.Takes)
	}
	if takes == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Load implements pace.Store.
func (s *Store) Load(ctx context.Context) (schema.Budget, uint64, error) {
	if err := s.delay(ctx); err != nil {
		return schema.Budget{}, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budget, s.revision, s.fault
}

// Swap implements pace.Store.
func (s *Store) Swap(
	ctx context.Context, b schema.Budget, revision uint64,
) (next uint64, swapped bool, err error) {
	if err := s.delay(ctx); err != nil {
		return 0, false, err
	}
	next, swapped, err = s.swap(b, revision)
	if swapped {
		for _, tell := range s.copyWatchers() {
			tell(b, next)
		}
	}
	return next, swapped, err
}

func (s *Store) swap(b schema.Budget, revision uint64) (next uint64, swapped bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.fault, schema.ErrBudgetUnreadable) {
		s.fault = nil
	}
	if s.fault != nil || s.revision != revision {
		return 0, false, s.fault
	}
	s.revision++
	s.budget = b
	return s.revision, true, nil
}

func (s *Store) copyWatchers() []func(schema.Budget, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.watchers))
}

// Now implements pace.Store.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := s.delay(ctx); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil && !errors.Is(s.fault, schema.ErrBudgetUnreadable) {
		return time.Time{}, s.fault
	}
	return time.Now().Add(s.Ahead), nil
}

// Watch implements pace.Store.
func (s *Store) Watch(changed func(schema.Budget, uint64)) (stop func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers == nil {
		s.watchers = map[int]func(schema.Budget, uint64){}
	}
	s.watched++
	id := s.watched
	s.watchers[id] = changed
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, id)
	}, nil
}

// Fail lets the requests fail. If err is schema.ErrBudgetUnreadable, only Load fails, until Swap
// replaces the value. Nil: requests succeed again.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

// Put stores a budget past the processes, which do not learn of it.
func (s *Store) Put(b schema.Budget) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget = b
	s.revision++
}

// Budget returns what is stored.
func (s *Store) Budget() schema.Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budget
}

// Requests is how many requests the store got.
func (s *Store) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}
