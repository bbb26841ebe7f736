package fetch

import (
	"context"
	"slices"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/pinwheel"
)

// pinwheelLink is the handler of Pinwheel's links: GET /v1/accounts/{account_id}, and GET
// /v1/platforms/{platform_id} for the resources that the account can have.
type pinwheelLink struct{ client *pinwheel.Client }

// Fetch gets the account. The outcome is Disconnected if the person must connect the account again
// (docs.pinwheelapi.com, Monitoring: the user re-authenticates via Link).
func (l pinwheelLink) Fetch(ctx context.Context, job workers.Job) (workers.Fetched, error) {
	account, err := l.client.Account(ctx, job.Event.AccountID)
	if job.Event.Action == schema.ActionRemoved && isRefused(err) {
		// As the webhook says. There is no record to tell of.
		return workers.Fetched{Outcome: schema.Disconnected, Scope: schema.Delta}, nil
	}
	if err != nil {
		return workers.Fetched{}, err
	}
	err = job.Records.Add(ctx, account.Record)
	account.Answer.Release() // before the next call, which needs room for its own answer
	if err != nil {
		return workers.Fetched{}, err
	}
	fetched := workers.Fetched{Scope: schema.Snapshot, EndUserID: account.EndUserID}
	if !account.Connected || account.MonitoringStatus == pinwheel.UserActionRequired {
		fetched.Outcome = schema.Disconnected
	}
	fetched.Supported, err = l.supported(ctx, account.PlatformID)
	return fetched, err
}

// supported returns the resources of the platform's jobs, or nil if Pinwheel does not say them. A
// refusal of the platform is no reason to keep the account's state from the subscribers.
func (l pinwheelLink) supported(ctx context.Context, platformID string) ([]schema.Resource, error) {
	if platformID == "" {
		return nil, nil
	}
	jobs, err := l.client.SupportedJobs(ctx, platformID)
	if isRefused(err) {
		return nil, nil
	}
	if err != nil || jobs == nil {
		return nil, err
	}
	resources := []schema.Resource{}
	for _, q := range schema.Queues() {
		if q.Provider == schema.Pinwheel && slices.Contains(jobs, pinwheelJobOf(q.Resource)) {
			resources = append(resources, q.Resource)
		}
	}
	return resources, nil
}

// pinwheelJobOf returns the name of the job with which Pinwheel collects a resource.
func pinwheelJobOf(r schema.Resource) string {
	if r == schema.BankAccounts {
		return string(pinwheelAllocations)
	}
	return string(r) // Pinwheel's other jobs have the names of the resources
}
