package workers

import (
	"context"
	"errors"

	"github.com/wagewire/wagewire/schema/stream"
)

// completeAccounts stores the completion of an event that names a person once for each account of
// the person. Each has StoreFor. An erased account gets no completion, and the others do. The error
// is stream.ErrErased if every account was erased.
//
// After an error or a crash in between, the next attempt begins with the first account again: the
// broker refuses a second completion, so each account has one.
func (w *Worker) completeAccounts(
	ctx context.Context, d *stream.Delivery, job Job, fetched Fetched, verdict Verdict, cause error,
) error {
	completed := false
	for _, account := range fetched.Accounts {
		job.Event.Of = account
		err := w.completeAccount(ctx, d, job, fetched, verdict, cause)
		if err != nil && !errors.Is(err, stream.ErrErased) {
			return err
		}
		completed = completed || err == nil
	}
	if !completed {
		return stream.ErrErased
	}
	return nil
}

// completeAccount stores the completion of the account in job.Event.Of.
func (w *Worker) completeAccount(
	ctx context.Context, d *stream.Delivery, job Job, fetched Fetched, verdict Verdict, cause error,
) error {
	ctx, cancel := context.WithTimeout(ctx, w.config.StoreFor)
	defer cancel()
	completion := newCompletion(w.resource, job, fetched, verdict, cause)
	return w.storeCompletion(ctx, d, job, completion)
}
