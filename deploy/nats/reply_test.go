package nats_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// A client chooses the subject for the answer to its request. If a stream listened to that subject
// in the client's account, the broker would store its own answer. The tests here send every request
// of every role with a reply subject of every stream, and count what is stored.

// question is a request with a body to which the broker answers.
type question struct {
	subject string
	body    string
	// silent is true if the broker answers late or never. Nobody waits for such an answer.
	silent bool
}

// questions returns requests for a subject of a grant. n makes their subjects unique.
func questions(granted string, n int) []question {
	bodies := bodiesOf(granted)
	subject := concrete(granted, n)
	if strings.HasPrefix(granted, "$JS.ACK.") {
		delivery := fmt.Sprintf("1.%d.1.1700000000000000000.0", 1+n%7)
		subject = strings.TrimSuffix(granted, ">") + delivery
	}
	if strings.HasPrefix(granted, api+"DIRECT.GET.") {
		subject = strings.NewReplacer("C.*.", "C.pinwheel.", ".*.*.*", ".a.seed.1").Replace(granted)
	}
	for i := range bodies {
		bodies[i].subject = subject
	}
	return bodies
}

func bodiesOf(granted string) []question {
	switch {
	case strings.HasPrefix(granted, api+"STREAM.INFO."):
		return []question{{body: ""}, {body: `{"subjects_filter":">"}`}, {body: "{not JSON"}}
	case strings.HasPrefix(granted, api+"STREAM.MSG.GET."):
		return []question{{body: `{"seq":1}`}, {body: `{"seq":1,"next_by_subj":">"}`},
			{body: `{"last_by_subj":"none"}`}, {body: "{not JSON"}}
	case strings.HasPrefix(granted, api+"STREAM.MSG.DELETE."):
		return []question{{body: `{"seq":99999999}`}, {body: "{not JSON"}}
	case strings.HasPrefix(granted, api+"CONSUMER.INFO."):
		return []question{{body: ""}}
	case strings.HasPrefix(granted, api+"CONSUMER.MSG.NEXT."):
		return []question{
			// Messages are answers too, but come under subjects of their own. The last requests
			// have the statuses 408, 409 and 400. A consumer answers in the order of the requests.
			{body: `{"batch":1,"no_wait":true}`, silent: true},
			{body: `{"batch":2,"expires":1000000}`, silent: true},
			{body: "", silent: true},
			{body: `{"batch":1,"expires":1000000,"max_bytes":1}`, silent: true},
			{body: `{"batch":1,"expires":1000000,"idle_heartbeat":900000}`},
			{body: "{not JSON"},
		}
	case strings.HasPrefix(granted, "$JS.ACK."):
		return []question{
			// In a cluster, the broker may leave an acknowledgement of a settled message
			// unanswered.
			{body: "+NXT {\"batch\":2,\"no_wait\":true}", silent: true},
			{body: "+NXT", silent: true},
			{body: "-NAK", silent: true},
			{body: "-NAK {\"delay\":1}", silent: true},
			{body: "+TERM why", silent: true},
			{body: "+ACK", silent: true},
			{body: "", silent: true},
			{body: "not an acknowledgement", silent: true},
			{body: "+WPI"},
		}
	default: // a direct get, or a publish
		return []question{{body: "{}"}}
	}
}

// concrete returns a subject that matches the filter.
func concrete(filter string, n int) string {
	return strings.NewReplacer("*", fmt.Sprint(n), ">", fmt.Sprint(n)).Replace(filter)
}

// storedFilters are the subjects of all streams.
func storedFilters() []string {
	filters := []string{
		"$O." + schema.RecordsBucket + ".C.>", "$O." + schema.RecordsBucket + ".M.>",
	}
	for _, s := range schema.DefaultTopology().AllStreams() {
		filters = append(filters, s.Subjects...)
	}
	return filters
}

// repliesOf are the filters of the reply subjects: those of all streams, and of the role's own
// publishes. See TestAnAnswerReachesNoMoreThanTheRoleItself for subjects without a wildcard.
func repliesOf(grant stream.Grant) []string {
	filters := storedFilters()
	for _, granted := range grant.Requests {
		if isPublish(granted) && strings.Contains(granted, "*") {
			filters = append(filters, granted)
		}
	}
	return filters
}

func isPublish(granted string) bool { return !strings.HasPrefix(granted, "$JS.") }

// teller sends requests with chosen reply subjects, and counts.
type teller struct {
	client
	// name returns the subject under which the client sends a request.
	name func(string) string

	attempts int
	mu       sync.Mutex
	// answered has the attempts with an answer.
	answered map[string]bool
	// taken counts the messages that a consumer delivered.
	taken int
	// legal counts by stream the messages that a request was allowed to store.
	legal map[string]uint64
}

// listen subscribes to the reply subjects in the client's own account.
func (l *teller) listen(t *testing.T) {
	t.Helper()
	for _, filter := range storedFilters() {
		_, err := l.Subscribe(filter, func(m *natsgo.Msg) {
			var ack jetstream.PubAck
			stored := json.Unmarshal(m.Data, &ack) == nil && ack.Stream != "" && ack.Sequence > 0 &&
				!ack.Duplicate && !strings.Contains(string(m.Data), `"type":`)
			l.mu.Lock()
			defer l.mu.Unlock()
			if stored {
				l.legal[ack.Stream]++
			}
			l.answered[m.Subject] = true
			if strings.HasPrefix(m.Reply, "$JS.ACK.") {
				l.taken++
			}
		})
		must(t, err)
	}
	must(t, l.Flush())
}

// tell sends each request of the grant with each reply subject.
func (l *teller) tell(t *testing.T, grant stream.Grant) {
	t.Helper()
	l.listen(t)
	for _, granted := range grant.Requests {
		var awaited []string
		for _, filter := range repliesOf(grant) {
			for _, q := range questions(granted, l.attempts) {
				l.attempts++
				reply := concrete(filter, l.attempts)
				must(t, l.PublishMsg(&natsgo.Msg{
					Subject: l.name(q.subject), Reply: reply, Data: []byte(q.body),
				}))
				if !q.silent {
					awaited = append(awaited, reply)
				}
			}
		}
		l.awaitAll(t, grant.Role+": "+granted, awaited)
	}
}

// awaitAll waits for an answer to each of the attempts.
func (l *teller) awaitAll(t *testing.T, what string, attempts []string) {
	t.Helper()
	streamtest.Eventually(t, "each request is answered: "+what, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		attempts = slices.DeleteFunc(attempts, func(n string) bool { return l.answered[n] })
		return len(attempts) == 0
	})
}

// storedEver returns how many messages each stream ever stored, without the broker's own notices
// about the queues.
func storedEver(t *testing.T, full jetstream.JetStream) map[string]uint64 {
	t.Helper()
	last := map[string]uint64{}
	streams := full.ListStreams(t.Context())
	for info := range streams.Info() {
		last[info.Config.Name] = info.State.LastSeq
	}
	must(t, streams.Err())
	advisories, err := full.Stream(t.Context(), schema.AdvisoriesStream)
	must(t, err)
	info, err := advisories.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	must(t, err)
	for subject, n := range info.State.Subjects {
		queue := schema.ConsumerQueue(schema.LastToken(subject))
		if slices.ContainsFunc(schema.Queues(), func(q schema.Queue) bool {
			return q.Name == queue
		}) {
			last[schema.AdvisoriesStream] -= n
		}
	}
	return last
}

// everyGrant has the grants of every role, and of the team of the demonstration.
func everyGrant(t *testing.T) []stream.Grant {
	t.Helper()
	return append(stream.Grants(), demoTeams(t)[0].Grant())
}

// tellAll sends the requests of the grants. It returns the number of attempts, and by stream how
// many messages were stored that no request was allowed to store.
func tellAll(
	t *testing.T, b broker, grants []stream.Grant, full jetstream.JetStream,
	name func(string) string,
) (attempts int, stored map[string]uint64) {
	t.Helper()
	before := storedEver(t, full)
	legal := map[string]uint64{}
	for _, grant := range grants {
		l := &teller{
			client: b.dial(t, grant.Role), name: name,
			answered: map[string]bool{}, legal: map[string]uint64{}, attempts: attempts,
		}
		l.tell(t, grant)
		attempts = l.attempts
		must(t, l.Drain())
		streamtest.Eventually(t, grant.Role+" is done", l.IsClosed)
		for s, n := range l.legal {
			legal[s] += n
		}
		if l.taken == 0 && grant.Role != stream.RoleIngress {
			t.Errorf("%s: no answer was a message of a consumer", grant.Role)
		}
	}
	stored = map[string]uint64{}
	for s, now := range storedEver(t, full) {
		if more := now - before[s] - legal[s]; more != 0 {
			stored[s] = more
		}
	}
	return attempts, stored
}

// withDomain returns the subject under which the account of a role sends a request.
func withDomain(subject string) string { return stream.DomainSubject(stream.Domain, subject) }

// roomy fills every stream and queue, so that each request has an answer. It returns a connection
// with all rights.
func roomy(t *testing.T, b broker) jetstream.JetStream {
	t.Helper()
	fill(t, b, schema.DefaultTopology())
	full := b.dial(t, stream.RoleOperator).jetstream(t)
	for n := range 300 {
		for _, q := range schema.Queues() {
			_, err := full.PublishAsync(webhook(typeOf(q), fmt.Sprint(n), "a").Subject(),
				[]byte("{}"), jetstream.WithStallWait(askFor))
			must(t, err)
		}
	}
	select {
	case <-full.PublishAsyncComplete():
	case <-streamtest.Late(t):
		t.Fatal("the events are not stored")
	}
	return full
}

func TestNoAnswerIsStoredWhateverItsReplySubject(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	full := roomy(t, b)
	attempts, stored := tellAll(t, b, everyGrant(t), full, withDomain)
	t.Logf("%d attempts, %d stored", attempts, total(stored))
	if len(stored) > 0 {
		t.Errorf("the broker stored its own answers: %v", stored)
	}
	if attempts < 10_000 {
		t.Errorf("%d attempts: some requests are not tried", attempts)
	}
}

// A trace is a message of the broker about a message, to a subject that the client chooses. The
// broker stores a trace at most on a subject that the role itself may publish to.
func TestNoTraceIsStoredOnASubjectOfOthers(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	full := roomy(t, b)
	before := storedEver(t, full)
	for n, grant := range everyGrant(t) {
		c := b.dial(t, grant.Role)
		for _, granted := range grant.Requests {
			if isPublish(granted) {
				continue
			}
			for _, filter := range storedFilters() {
				target := concrete(filter, n)
				if mayPublish(grant, target) {
					continue
				}
				must(t, c.PublishMsg(&natsgo.Msg{
					Subject: withDomain(questions(granted, n)[0].subject),
					Header:  natsgo.Header{"Nats-Trace-Dest": {target}},
				}))
			}
		}
		must(t, c.Flush())
	}
	if diff := cmp.Diff(before, storedEver(t, full)); diff != "" {
		t.Errorf("a trace was stored (-before +after):\n%s", diff)
	}
}

func mayPublish(grant stream.Grant, subject string) bool {
	return slices.ContainsFunc(grant.Requests, func(granted string) bool {
		return server.SubjectsCollide(granted, subject)
	})
}

func TestTheBrokerRefusesAnAcknowledgementAsTheReplySubject(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	roomy(t, b)
	for _, reply := range []string{"$JS.ACK.WAGEWIRE_EVENTS.truv_link.1.1.1.1.0", "_R_.x"} {
		c := b.dial(t, stream.WorkerRole(schema.Paystubs))
		subject := api + "CONSUMER.INFO.WAGEWIRE_EVENTS.pinwheel_paystubs"
		must(t, c.PublishRequest(withDomain(subject), reply, nil))
		must(t, c.Flush())
		if err := next(t, "a refusal of "+reply, c.refused); !errors.Is(err,
			natsgo.ErrPermissionViolation) {
			t.Errorf("%s: %v", reply, err)
		}
	}
}

// With users in the streams' account, permissions for exactly the same requests do not prevent it.
func TestAnswersWouldBeStoredWithPermissionsInOneAccount(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *server.Options) {
		quick(o)
		inOneAccount(t, o)
	})
	full := roomy(t, b)
	attempts, stored := tellAll(t, b, everyGrant(t), full,
		func(subject string) string { return subject })
	t.Logf("%d attempts, %d stored: %v", attempts, total(stored), stored)
	for _, s := range schema.DefaultTopology().AllStreams() {
		if stored[s.Name] == 0 {
			t.Errorf("no answer was stored in %s: the attempts prove nothing about it", s.Name)
		}
	}
}

// A role may publish to a few subjects without a wildcard: the pauses of its queues, the budgets of
// their providers, and the quarantine. The broker stores an answer there, and only there. The role
// could publish the same bytes.
func TestAnAnswerReachesNoMoreThanTheRoleItself(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	full := roomy(t, b)
	own := 0
	for _, grant := range everyGrant(t) {
		c := b.dial(t, grant.Role)
		for _, reply := range grant.Requests {
			if !isPublish(reply) || strings.ContainsAny(reply, "*>") {
				continue
			}
			own++
			before := storedEver(t, full)
			must(t, c.PublishMsg(&natsgo.Msg{
				Subject: stream.DomainSubject(stream.Domain,
					api+"STREAM.MSG.GET."+schema.EventsStream),
				Reply: reply, Data: []byte(`{"seq":1}`),
			}))
			_, err := c.jetstream(t).Publish(t.Context(), reply, []byte("{}"))
			must(t, err)
			var after map[string]uint64
			streamtest.Eventually(t, "the answer and the publish are stored at "+reply,
				func() bool {
					after = storedEver(t, full)
					return total(after) >= total(before)+2
				})
			for s, now := range after {
				if now != before[s] && !isStreamOf(s, reply) {
					t.Errorf("%s with the reply subject %s: stream %s got %d messages",
						grant.Role, reply, s, now-before[s])
				}
			}
		}
	}
	if own == 0 {
		t.Error("no role has a subject without a wildcard: remove this test, and the exception")
	}
}

// isStreamOf reports whether the stream stores the subject.
func isStreamOf(name, subject string) bool {
	for _, s := range schema.DefaultTopology().AllStreams() {
		if s.Name == name {
			return slices.ContainsFunc(s.Subjects, func(filter string) bool {
				return server.SubjectsCollide(filter, subject)
			})
		}
	}
	return false
}

// inOneAccount moves every user into the account of the streams, with the permission to send the
// requests of its role.
func inOneAccount(t *testing.T, o *server.Options) {
	t.Helper()
	keys := map[string]stream.Grant{}
	for _, grant := range everyGrant(t) {
		keys[keyOf(t, grant.Role)] = grant
	}
	streams := streamsAccount(t, o)
	for _, user := range o.Nkeys {
		if grant, ok := keys[user.Nkey]; ok {
			user.Account = streams
			user.Permissions = &server.Permissions{
				Publish: &server.SubjectPermission{Allow: grant.Requests},
			}
		}
	}
}

// streamsAccount returns the account with the streams.
func streamsAccount(t *testing.T, o *server.Options) *server.Account {
	t.Helper()
	for _, user := range o.Nkeys {
		if user.Nkey == keyOf(t, stream.RoleOperator) {
			return user.Account
		}
	}
	t.Fatal("the operator has no user")
	return nil
}

func total(counts map[string]uint64) (sum uint64) {
	for n := range maps.Values(counts) {
		sum += n
	}
	return sum
}
