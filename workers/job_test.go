package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/workers/api"
)

const h = time.Hour

// The default ladders, spelled out: a change of the defaults is a change of this file too.
var (
	retrySteps = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute,
		30 * time.Minute, 2 * h, 5 * h, 10 * h, 10 * h, 10 * h, 10 * h, 10 * h, 10 * h}
	notReadySteps = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute,
		10 * time.Minute}
)

// climbs has the verdict after each number of failures: later by one step after the other, then the
// end for ever.
func climbs(class schema.Class, steps []time.Duration, end Verdict) map[int]Verdict {
	verdicts := map[int]Verdict{}
	for i, delay := range steps {
		v := later(class, delay)
		v.Step = i + 1
		v.Steps = len(steps)
		verdicts[i] = v
	}
	for _, past := range []int{len(steps), len(steps) + 1, 1000} {
		verdicts[past] = end
	}
	return verdicts
}

// always has the same verdict after every number of failures.
func always(v Verdict) map[int]Verdict {
	return map[int]Verdict{
		0: v, len(notReadySteps) - 1: v, len(notReadySteps): v,
		len(retrySteps) - 1: v, len(retrySteps): v, 1000: v,
	}
}

// forEver climbs the ladder and stays on its last step.
func forEver(class schema.Class, steps Ladder) map[int]Verdict {
	verdicts := map[int]Verdict{}
	for failures := range 100 {
		v := later(class, steps[min(failures, len(steps)-1)])
		v.Step = failures + 1
		verdicts[failures] = v
	}
	return verdicts
}

// defaultLadders are the ladders of a worker without configuration.
func defaultLadders() Ladders { return Config{}.withDefaults().Ladders }

func TestJudge(t *testing.T) {
	status := func(code int) error { return &api.StatusError{Endpoint: "/v1/x", Status: code} }
	throttled := func(d time.Duration) error { return &api.StatusError{Status: 429, RetryAfter: d} }

	transient := climbs(schema.ClassTransient, retrySteps,
		never(schema.ClassTransient, schema.ReasonLadderEnded, schema.Failed))
	unavailable := climbs(schema.ClassNotReady, notReadySteps,
		done(schema.ClassNotReady, schema.Unavailable))
	forbidden := climbs(schema.ClassForbidden, notReadySteps,
		done(schema.ClassForbidden, schema.Unavailable))
	rejected := always(never(schema.ClassPermanent, schema.ReasonRejected, schema.Failed))
	redirected := always(never(schema.ClassPermanent, schema.ReasonRedirected, schema.Failed))
	contract := climbs(schema.ClassContract, retrySteps[:ContractTries-1],
		never(schema.ClassContract, schema.ReasonContract, schema.Failed))
	back := always(Verdict{Kind: Back, LogAs: "given_back"})
	unauthorized := always(later(schema.ClassUnauthorized, PauseFor))

	tests := []struct {
		promise string
		err     error
		want    map[int]Verdict
	}{
		{"no error completes at once", nil, always(done("", schema.Succeeded))},

		{"500 climbs the long ladder and ends failed", status(500), transient},
		{"502 climbs the long ladder and ends failed", status(502), transient},
		{"503 climbs the long ladder and ends failed", status(503), transient},
		{"504 climbs the long ladder and ends failed", status(504), transient},
		{"599 climbs the long ladder and ends failed", status(599), transient},
		{"408 climbs the long ladder and ends failed", status(408), transient},
		{"a network error climbs the long ladder and ends failed",
			&api.NetworkError{Why: "connection refused"}, transient},
		{"a cut body climbs the long ladder and ends failed",
			&api.NetworkError{Why: "connection cut"}, transient},
		{"a deadline of ours climbs the long ladder and ends failed", context.DeadlineExceeded,
			transient},
		{"an error nobody knows climbs the long ladder and ends failed", errors.New("odd"),
			transient},

		{"404 climbs the short ladder and ends unavailable", status(404), unavailable},
		{"409 climbs the short ladder and ends unavailable", status(409), unavailable},
		{"stale or incomplete data climbs the short ladder and is then accepted", errIncomplete,
			climbs(schema.ClassNotReady, notReadySteps,
				done(schema.ClassNotReady, schema.Succeeded))},

		{"429 waits as long as the provider asks, at any attempt", throttled(7 * time.Second),
			always(later(schema.ClassThrottled, 7*time.Second))},
		{"429 waits 15 minutes where the provider asks for 15", throttled(15 * time.Minute),
			always(later(schema.ClassThrottled, 15*time.Minute))},
		{"429 waits 15 minutes where the provider asks for more", throttled(15*time.Minute + 1),
			always(later(schema.ClassThrottled, 15*time.Minute))},
		{"429 without a time waits a second, and never ends", throttled(0),
			always(later(schema.ClassThrottled, time.Second))},
		{"429 with a time in the past is one without", throttled(-time.Hour),
			always(later(schema.ClassThrottled, time.Second))},

		{"401 waits for the next probe, at any attempt", status(401), unauthorized},
		{"403 climbs the short ladder and ends unavailable", status(403), forbidden},
		{"403 of many accounts waits for the next probe, at any attempt",
			errors.Join(errRefused, status(403)), unauthorized},
		{"credentials that cannot be sent are refused ones",
			fmt.Errorf("get: %w", api.ErrCredentials), unauthorized},

		{"400 ends at once", status(400), rejected},
		{"405 ends at once", status(405), rejected},
		{"422 ends at once", status(422), rejected},
		{"451 ends at once", status(451), rejected},
		{"410 ends at once, as data that is not there", status(410),
			always(never(schema.ClassPermanent, schema.ReasonRejected, schema.Unavailable))},
		{"301 ends at once and is not followed", status(301), redirected},
		{"302 ends at once and is not followed", status(302), redirected},
		{"304 ends at once", status(304), redirected},
		{"308 ends at once and is not followed", status(308), redirected},
		{"an id that cannot be asked for ends at once",
			fmt.Errorf("get /v1/x: {id}: %w", api.ErrID), rejected},

		{"a broken contract is tried five times", &api.ContractError{Why: "the body is not JSON"},
			contract},
		{"a repeated cursor is tried five times", &api.ContractError{Why: "a cursor came twice"},
			contract},
		{"an answer over 16 MiB is tried five times", &api.ContractError{Why: "over 16 MiB"},
			contract},

		{"a panic ends at once", errPanic, always(never(schema.ClassPoison, schema.ReasonPanic,
			schema.Failed))},
		{"an event that cannot be decoded ends at once", ErrUndecodable,
			always(never(schema.ClassPoison, schema.ReasonUndecodable, schema.Failed))},

		{"what could not be stored waits, and never ends", errNotStored,
			forEver(schema.ClassNotStored, storeLadder)},
		{"what a full stream refused waits, and never ends",
			fmt.Errorf("%w: %w", errNotStored, stream.ErrFull),
			forEver(schema.ClassNotStored, storeLadder)},
		{"an event of an erased account is done without a completion", stream.ErrErased,
			always(Verdict{Kind: Done, LogAs: "erased"})},
		{"what is completed is done without another completion", errCompleted,
			always(Verdict{Kind: Done, Skipped: true, LogAs: "completed_before"})},
		{"what was sent again for another queue is done without a completion", errOtherQueue,
			always(Verdict{Kind: Done, Skipped: true, LogAs: "other_queue"})},
		{"what another resource's job did not bring is done without a completion", errOtherResource,
			always(Verdict{Kind: Done, Skipped: true, LogAs: "other_resource"})},
		{"what killed every worker ends at once", errExhausted,
			always(never(schema.ClassExhausted, schema.ReasonDeliveriesMax, schema.Failed))},

		{"a stop gives back at once", context.Canceled, back},
		{"a stop in the midst of a failing call gives back at once",
			fmt.Errorf("%w; given up: %w", status(503), context.Canceled), back},
		{"a stop in the midst of a hold gives back at once",
			fmt.Errorf("%w; given up: %w", throttled(time.Hour), context.Canceled), back},
		{"a stop in the midst of storing gives back at once",
			fmt.Errorf("%w: %w", errNotStored, context.Canceled), back},
		{"a paused queue gives back at once", errPaused, back},
		{"many deliveries without a verdict: back, for deliveries that count anew", errWornOut, back},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			for count, want := range test.want {
				// Failures of another class take no step.
				failures := schema.Failures{want.Class: count, schema.ClassProvider: 1000}
				judge := func(err error) Verdict {
					return defaultLadders().judge(Fetched{}, err, failures)
				}
				if diff := cmp.Diff(want, judge(test.err)); diff != "" {
					t.Errorf("after %d failures (-want +got):\n%s", count, diff)
				}
				if test.err == nil {
					continue
				}
				wrapped := fmt.Errorf("work: %w", fmt.Errorf("fetch: %w", test.err))
				if diff := cmp.Diff(want, judge(wrapped)); diff != "" {
					t.Errorf("after %d, the error wrapped twice (-want +got):\n%s", count, diff)
				}
				joined := errors.Join(wrapped, errors.New("another"))
				if diff := cmp.Diff(want, judge(joined)); diff != "" {
					t.Errorf("after %d, the error joined (-want +got):\n%s", count, diff)
				}
			}
		})
	}
}

func TestTheOutcomeOfAFetchIsTheVerdicts(t *testing.T) {
	tests := []struct {
		promise string
		fetched Fetched
		err     error
		want    Verdict
	}{
		{"a fetch without an outcome succeeded", Fetched{}, nil, done("", schema.Succeeded)},
		{"what the handler finds unavailable is", Fetched{Outcome: schema.Unavailable}, nil,
			done("", schema.Unavailable)},
		{"a deleted account is deleted", Fetched{Outcome: schema.Deleted}, nil,
			done("", schema.Deleted)},
		{"stale data keeps its outcome at the end of the ladder",
			Fetched{Outcome: schema.Unavailable, Stale: true}, errIncomplete,
			done(schema.ClassNotReady, schema.Unavailable)},
		{"an error counts, whatever the fetch brought", Fetched{Outcome: schema.Deleted},
			stream.ErrErased, Verdict{Kind: Done, LogAs: "erased"}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			failures := schema.Failures{schema.ClassNotReady: 1000}
			got := defaultLadders().judge(test.fetched, test.err, failures)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestACallShowsWhetherCredentialsAreAccepted(t *testing.T) {
	tests := []struct {
		promise string
		err     error
		want    credentials
	}{
		{"success: they are accepted", nil, accepted},
		{"404: they are accepted", &api.StatusError{Status: 404}, accepted},
		{"422: they are accepted", &api.StatusError{Status: 422}, accepted},
		{"200 with odd JSON: they are accepted", &api.ContractError{}, accepted},
		{"401: they are refused", &api.StatusError{Status: 401}, refused},
		{"403: they lack a right", &api.StatusError{Status: 403}, forbidden},
		{"none to send: they are refused", api.ErrCredentials, refused},
		{"500 shows nothing", &api.StatusError{Status: 500}, unseen},
		{"429 shows nothing", &api.StatusError{Status: 429}, unseen},
		{"no answer shows nothing", &api.NetworkError{}, unseen},
		{"a stop shows nothing", context.Canceled, unseen},
		{"a panic shows nothing", errPanic, unseen},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			if got := classifyCredentials(test.err); got != test.want {
				t.Errorf("classifyCredentials(%v) = %v, want %v", test.err, got, test.want)
			}
		})
	}
}

func TestACompletionsErrorHasTheProvidersCodesAndNotItsProse(t *testing.T) {
	const prose = "no paystub of Canary Person"
	verdict := Verdict{Kind: Never, Class: schema.ClassPermanent, Reason: schema.ReasonRejected}
	tests := []struct {
		promise string
		err     error
		want    schema.CompletionError
	}{
		{"the provider's code and type", &api.StatusError{Endpoint: "/v1/x", Status: 400,
			Code: "invalid_version", Type: "invalid_request_error", Message: prose},
			schema.CompletionError{Class: "permanent", Code: "invalid_version",
				Type:    "invalid_request_error",
				Message: "get /v1/x: status 400 invalid_version invalid_request_error"}},
		{"the status where the provider gives no code",
			&api.StatusError{Endpoint: "/v1/x", Status: 404, Message: prose},
			schema.CompletionError{Class: "permanent", Code: "http_404",
				Message: "get /v1/x: status 404"}},
		{"our reason where there was no answer",
			&api.NetworkError{Endpoint: "/v1/x", Why: "connection cut"},
			schema.CompletionError{Class: "permanent", Code: "rejected",
				Message: "get /v1/x: connection cut"}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			got := completionError(fmt.Errorf("%w", test.err), verdict)
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the end, subscribers learn what the webhook named, and what the account can have.
func TestACompletionHasTheIDsOfTheWebhookAndTheSupportedResources(t *testing.T) {
	report := []schema.Resource{schema.VerificationReports}
	all := []schema.Resource{schema.VerificationReports, schema.Employment, schema.Income}
	status := &api.StatusError{Endpoint: "/v1/x", Status: 400}
	tests := []struct {
		promise string
		outcome schema.Outcome // of the webhook
		says    []schema.Resource
		fetched Fetched
		err     error
		want    []schema.Resource
	}{
		{"of data", "", nil, Fetched{Supported: all}, nil, all},
		{"of data that says nothing of it", "", nil, Fetched{}, nil, nil},
		{"of stale data", "", nil, Fetched{Supported: all, Stale: true}, errIncomplete, all},
		{"of a failed fetch", "", nil, Fetched{Supported: report}, status, report},
		{"of a job on its way", schema.Pending, nil, Fetched{Outcome: schema.Pending}, nil, nil},
		{"of a job that failed", schema.Failed, report, Fetched{Outcome: schema.Failed}, nil,
			report},
		{"of a job without data", schema.Unavailable, report,
			Fetched{Outcome: schema.Unavailable}, nil, report},
		{"of a webhook and of data, the data's", "", report, Fetched{Supported: all}, nil, all},
		{"of an account that has nothing", "", report, Fetched{Supported: []schema.Resource{}}, nil,
			[]schema.Resource{}},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			job := Job{
				Event: schema.Event{Provider: schema.Truv, ID: "e", AccountID: "l"},
				Payload: Payload{
					Outcome: test.outcome, ObjectID: "obj-1", EmploymentID: "emp-1",
					Supported: test.says,
				},
			}
			v := defaultLadders().judge(test.fetched, test.err, schema.Failures{
				schema.ClassNotReady: 1000,
			})
			c := newCompletion(schema.VerificationReports, job, test.fetched, v, test.err)
			if c.Data.ObjectID != "obj-1" || c.Data.EmploymentID != "emp-1" {
				t.Errorf("object %q of employment %q", c.Data.ObjectID, c.Data.EmploymentID)
			}
			if diff := cmp.Diff(test.want, c.Data.Supported); diff != "" {
				t.Errorf("supported (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASequenceBeginsWithTheTimeOfTheData(t *testing.T) {
	occurred := time.Date(2026, 2, 3, 15, 0, 0, 0, time.UTC)
	refreshed := occurred.Add(-time.Hour)
	started := occurred.Add(time.Hour)
	status := &api.StatusError{Endpoint: "/v1/x", Status: 404}
	for _, row := range []struct {
		promise string
		outcome schema.Outcome // of the webhook
		fetched Fetched
		err     error
		want    time.Time
	}{
		{"of the event, if the provider says none", "", Fetched{}, nil, occurred},
		{"of the provider's last look", "", Fetched{RefreshedAt: refreshed}, nil, refreshed},
		{"of the fetch, if the handler says so", "", Fetched{DataAt: started}, nil, started},
		{"of the event, if the handler says so, whatever the provider's last look", "",
			Fetched{DataAt: occurred, RefreshedAt: refreshed}, nil, occurred},
		{"of the fetch, also of data that is behind", "",
			Fetched{DataAt: started, Stale: true}, errIncomplete, started},
		{"of the event, if nothing was fetched", "", Fetched{DataAt: started}, status, occurred},
		{"of the event, if the webhook alone says the end", schema.Failed,
			Fetched{Outcome: schema.Failed, DataAt: started}, nil, occurred},
	} {
		t.Run(row.promise, func(t *testing.T) {
			job := Job{
				Event: schema.Event{
					Provider: schema.Truv, ID: "e", AccountID: "l", OccurredAt: occurred,
				},
				Payload: Payload{Outcome: row.outcome},
				Started: started,
			}
			job.Records = NewRecords(nil, job.Event, schema.Shifts, nil)
			v := defaultLadders().judge(row.fetched, row.err, schema.Failures{
				schema.ClassNotReady: 1000,
			})
			c := newCompletion(schema.Shifts, job, row.fetched, v, row.err)
			if want := schema.Sequence(row.want, started, c.ID); c.Sequence != want {
				t.Errorf("sequence %s, want %s", c.Sequence, want)
			}
			hasRefreshed := c.Data.RefreshedAt != nil
			if hasRefreshed != !row.fetched.RefreshedAt.IsZero() {
				t.Errorf("refreshed_at is %v", c.Data.RefreshedAt)
			}
		})
	}
}

// The worker of the resource that a provider's job is about says how the job ended. Another worker
// of the type acts on its success alone.
func TestOneWorkerOfEachTypeSaysHowTheJobEnded(t *testing.T) {
	got := map[string][]schema.Resource{}
	for _, row := range schema.Catalogue() {
		saying := 0
		for _, r := range row.Workers {
			w := &Worker{resource: r}
			if w.leavesWord(schema.Event{Provider: row.Provider, Type: row.Name}) {
				got[row.Name] = append(got[row.Name], r)
			} else {
				saying++
			}
		}
		if len(row.Workers) > 0 && saying == 0 {
			t.Errorf("no worker says how %s ended", row.Name)
		}
	}
	want := map[string][]schema.Resource{
		"paystubs.fully_synced":    {schema.Income},
		"paystubs.documents.added": {schema.Paystubs},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("acting on success alone (-want +got):\n%s", diff)
	}
}

func TestLimitsFitTogether(t *testing.T) {
	sum := func(steps []time.Duration) (all time.Duration) {
		for _, d := range steps {
			all += d
		}
		return all
	}

	ladders := defaultLadders()
	ages := map[string]time.Duration{}
	for _, s := range schema.DefaultTopology().AllStreams() {
		ages[s.Name] = s.MaxAge
	}
	if diff := cmp.Diff(Ladders{Retry: retrySteps, NotReady: notReadySteps}, ladders); diff != "" {
		t.Errorf("the default ladders (-want +got):\n%s", diff)
	}
	// A pause between deliveries is up to a tenth longer than its step.
	longest := sum(ladders.Retry) + sum(ladders.Retry)/10
	for _, law := range []struct {
		promise string
		holds   bool
	}{
		{"a call with its retries ends within the lease, even if every heartbeat is lost",
			api.RetryFor+api.TryFor < schema.LeaseFor},
		{"two heartbeats may be lost without losing the lease", schema.HeartbeatsPerLease > 2},
		{"a last word is stored within the lease", StoreFor < schema.LeaseFor},
		{"an event is published anew among the retries long before its deliveries run out",
			2*schema.DeliveriesInPlace < schema.DeliveriesMax},
		{"a contract's tries are on the ladder", ContractTries <= len(ladders.Retry)},
		{"the retry ladder ends within 72 hours", sum(ladders.Retry) <= 72*h},
		{"one more step would pass 72 hours", sum(ladders.Retry)+10*h > 72*h},
		{"the short ladder is the shorter one", sum(ladders.NotReady) < sum(ladders.Retry)},
		{"an event outlives its ladder", longest < ages[schema.EventsStream]},
		{"a wait outlives every step",
			ages[schema.QueuesOf(schema.Link)[0].WaitingStream()] > 2*slices.Max(ladders.Retry)},
		{"sixteen forbidden accounts at the same time are no refused credentials",
			ForbiddenAccountsMax > int(Config{}.withDefaults().Concurrency)},
		{"a completion outlives every redelivery of its event",
			ages[schema.CompletionsStream] > ages[schema.EventsStream]+longest},
		{"large records live as long as the completions that point to them",
			schema.DefaultTopology().Records.MaxAge >= ages[schema.CompletionsStream]},
		{"a dead letter outlives its event",
			ages[schema.DeadLettersStream] > ages[schema.EventsStream]+longest},
		{"stopping ends within Kubernetes' 30 seconds of grace", StopFor < 30*time.Second},
		{"a call in hand is finished within the stop where it is answered at once",
			api.TryFor < StopFor},
		{"a probe and a wait for room are no hot loop", min(PauseFor, storeLadder[0]) >= 10*time.Second},
		{"as many hands as there may be never hold more than a queue lends",
			concurrencyMax < schema.PendingMax},
	} {
		if !law.holds {
			t.Errorf("broken: %s", law.promise)
		}
	}
}

func TestLaddersFromTheEnvironmentKeepTheirOrder(t *testing.T) {
	env := map[string]string{"RETRY_LADDER": "1s, 2m,3h", "NOT_READY_LADDER": "4ms",
		"WORKER_CONCURRENCY": "7", "ANSWER_BYTES_MAX": "1GiB"}
	config, err := ConfigFromEnv(func(key string) string { return env[key] })
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Concurrency: 7, Ladders: Ladders{Retry: []time.Duration{time.Second,
		2 * time.Minute, 3 * h}, NotReady: []time.Duration{4 * time.Millisecond}},
		AnswerBytesMax: 1 << 30}
	if diff := cmp.Diff(want, config); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestABadVariableIsNamed(t *testing.T) {
	tests := []struct{ promise, variable, value string }{
		{"a number of hands that is none", "WORKER_CONCURRENCY", "many"},
		{"no hands", "WORKER_CONCURRENCY", "0"},
		{"fewer than no hands", "WORKER_CONCURRENCY", "-1"},
		{"more hands than anyone has", "WORKER_CONCURRENCY", "1001"},
		{"a ladder with a step that is none", "RETRY_LADDER", "30s,soon"},
		{"a ladder with an empty step", "RETRY_LADDER", "30s,,2m"},
		{"a ladder with a step down", "RETRY_LADDER", "30s,-2m"},
		{"a ladder with a step of nothing", "NOT_READY_LADDER", "0s"},
		{"a number without a unit", "NOT_READY_LADDER", "30"},
		{"more steps than anyone needs", "RETRY_LADDER",
			strings.Repeat("1s,", stepsMax) + "1s"},
	}
	for _, test := range tests {
		t.Run(test.promise, func(t *testing.T) {
			_, err := ConfigFromEnv(func(key string) string {
				if key == test.variable {
					return test.value
				}
				return ""
			})
			if err == nil || !strings.HasPrefix(err.Error(), test.variable+": ") {
				t.Errorf("%s=%q: error %v, want one that begins with the variable's name",
					test.variable, test.value, err)
			}
		})
	}
}
