package nats_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// attempt is something that a role must not do: a request, or a subscription.
type attempt struct {
	name string
	// make returns the request. full is a connection with all rights, for questions.
	make func(t *testing.T, full jetstream.JetStream) *natsgo.Msg
	// subscribe is the subject of a subscription, "" for a request.
	subscribe string
	// but are the roles that may do it, besides the operator.
	but []string
	// destroys is true if other attempts do not work afterwards.
	destroys bool
}

func request(subject, body string) func(*testing.T, jetstream.JetStream) *natsgo.Msg {
	return func(*testing.T, jetstream.JetStream) *natsgo.Msg {
		return &natsgo.Msg{Subject: subject, Data: []byte(body), Header: natsgo.Header{}}
	}
}

const api = "$JS.API."

// attempts returns all attempts.
func attempts() []attempt {
	consumer := func(name, more string) string {
		return fmt.Sprintf(`{"stream_name":"WAGEWIRE_EVENTS","config":{"name":%q,"ack_policy":"explicit"%s}}`, name, more)
	}
	all := []attempt{
		{name: "create a stream", make: request(api+"STREAM.CREATE.MINE",
			`{"name":"MINE","subjects":["mine.>"],"storage":"memory","max_bytes":1024}`)},
		{name: "change a stream", make: func(t *testing.T, full jetstream.JetStream) *natsgo.Msg {
			s, err := full.Stream(t.Context(), schema.QuarantineStream)
			must(t, err)
			config, err := json.Marshal(s.CachedInfo().Config)
			must(t, err)
			return &natsgo.Msg{Subject: api + "STREAM.UPDATE.WAGEWIRE_QUARANTINE", Data: config}
		}},
		{name: "purge a stream", make: request(api+"STREAM.PURGE.WAGEWIRE_COMPLETIONS", ""),
			destroys: true},
		{name: "delete a stream", make: request(api+"STREAM.DELETE.WAGEWIRE_EVENTS", ""),
			destroys: true},
		{name: "list the streams", make: request(api+"STREAM.LIST", "")},
		{name: "make a durable consumer of events",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_EVENTS.mine",
				consumer("mine", `,"durable_name":"mine"`))},
		{name: "make a durable consumer of events, the old way",
			make: request(api+"CONSUMER.DURABLE.CREATE.WAGEWIRE_EVENTS.old",
				consumer("old", `,"durable_name":"old"`))},
		{name: "make a consumer of events",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_EVENTS.passing.wagewire.events.>",
				consumer("passing", `,"filter_subject":"wagewire.events.>"`))},
		{name: "delete a queue",
			make:     request(api+"CONSUMER.DELETE.WAGEWIRE_EVENTS.pinwheel_paystubs", ""),
			destroys: true},
		{name: "pause a queue",
			make: request(api+"CONSUMER.PAUSE.WAGEWIRE_EVENTS.pinwheel_paystubs",
				`{"pause_until":"2099-01-01T00:00:00Z"}`), destroys: true},
		{name: "reset a queue",
			make:     request(api+"CONSUMER.RESET.WAGEWIRE_EVENTS.pinwheel_paystubs", `{"seq":1}`),
			destroys: true},

		{name: "delete an event", make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_EVENTS",
			`{"seq":1}`), but: []string{"link"}, destroys: true},
		{name: "delete a completion",
			make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_COMPLETIONS", `{"seq":1}`),
			but:  []string{"link"}, destroys: true},
		{name: "delete a dead letter",
			make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_DEAD_LETTERS", `{"seq":1}`),
			but:  []string{"link"}, destroys: true},
		{name: "delete a waiting event",
			make: request(api+"STREAM.MSG.DELETE.WAGEWIRE_WAITING", `{"seq":1}`),
			but:  []string{"link"}, destroys: true},
		{name: "delete from the quarantine",
			make:     request(api+"STREAM.MSG.DELETE.WAGEWIRE_QUARANTINE", `{"seq":1}`),
			destroys: true},

		{name: "read a completion",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_COMPLETIONS", `{"seq":1}`),
			but:  []string{"link"}},
		{name: "read a dead letter",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_DEAD_LETTERS", `{"seq":1}`),
			but:  []string{"link"}},
		{name: "read a retry", make: request(api+"STREAM.MSG.GET.WAGEWIRE_WAITING", `{"seq":1}`),
			but: workerRoles()},
		{name: "read the quarantine",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_QUARANTINE", `{"seq":1}`)},
		{name: "read records", make: request(api+"STREAM.MSG.GET.OBJ_WAGEWIRE_RECORDS",
			`{"seq":1}`), but: append(workerRoles(), team)},
		{name: "read records directly",
			make: request(api+"DIRECT.GET.OBJ_WAGEWIRE_RECORDS", `{"seq":1}`),
			but:  []string{"consumer", "link"}},
		{name: "consume records",
			make: request(api+"CONSUMER.CREATE.OBJ_WAGEWIRE_RECORDS.mine.$O.WAGEWIRE_RECORDS.M.>",
				`{"stream_name":"OBJ_WAGEWIRE_RECORDS","config":{"name":"mine","filter_subject":"$O.WAGEWIRE_RECORDS.M.>"}}`), but: []string{"consumer", "link"}},
		{name: "consume completions",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_COMPLETIONS.mine.wagewire.completions.>",
				`{"stream_name":"WAGEWIRE_COMPLETIONS","config":{"name":"mine","ack_policy":"explicit","filter_subject":"wagewire.completions.>"}}`), but: []string{"consumer"}},
		{name: "consume dead letters",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_DEAD_LETTERS.mine",
				`{"stream_name":"WAGEWIRE_DEAD_LETTERS","config":{"name":"mine","ack_policy":"explicit"}}`)},
		{name: "consume the quarantine",
			make: request(api+"CONSUMER.CREATE.WAGEWIRE_QUARANTINE.mine",
				`{"stream_name":"WAGEWIRE_QUARANTINE","config":{"name":"mine","ack_policy":"explicit"}}`)},
		{name: "read an event by its number",
			make: request(api+"STREAM.MSG.GET.WAGEWIRE_EVENTS", `{"seq":1}`),
			but:  append(workerRoles(), stream.RoleIngress)},

		{name: "publish an event", make: request("wagewire.events.pinwheel.paystubs.added.a", "{}"),
			but: []string{stream.RoleIngress}},
		{name: "publish to the quarantine",
			make: request(schema.QuarantineSubject(schema.Truv), "{}"),
			but:  []string{stream.RoleIngress}},
		{name: "publish a tombstone", make: request(schema.TombstoneSubject(schema.Truv, "a"), ""),
			but: []string{"link"}},
		{name: "publish a tombstone of Pinwheel's",
			make: request(schema.TombstoneSubject(schema.Pinwheel, "a"), "")},
		{name: "publish records of an account of Pinwheel's",
			make: request("$O.WAGEWIRE_RECORDS.C.pinwheel.a.x", "{}"),
			but:  rolesOf(schema.Pinwheel)},
		{name: "publish records of an account of Truv's",
			make: request("$O.WAGEWIRE_RECORDS.C.truv.a.x", "{}"), but: rolesOf(schema.Truv)},
		{name: "publish records of no account", make: request("$O.WAGEWIRE_RECORDS.C.x", "{}")},

		{name: "listen to all that is ours", subscribe: "wagewire.>"},
		{name: "listen to completions", subscribe: schema.AllCompletions},
		{name: "listen to everything", subscribe: ">"},
		{name: "listen to records", subscribe: "$O.WAGEWIRE_RECORDS.>"},
		{name: "listen to acks", subscribe: "$JS.ACK.>"},
		{name: "listen to requests", subscribe: "$JS.API.>"},
		{name: "listen in every inbox", subscribe: "_INBOX.>"},
		{name: "listen in every inbox, one level", subscribe: "_INBOX.*.>"},
	}
	for _, grant := range stream.Grants() {
		all = append(all, attempt{name: "listen in the inbox of " + grant.Role,
			subscribe: "_INBOX." + grant.Role + ".>", but: []string{grant.Role}})
	}
	for _, q := range schema.Queues() {
		own := []string{stream.WorkerRole(q.Resource)}
		all = append(all,
			attempt{name: "take from " + q.Name,
				make: request(api+"CONSUMER.MSG.NEXT.WAGEWIRE_EVENTS."+q.Name,
					`{"batch":1,"no_wait":true}`), but: own},
			attempt{name: "settle for " + q.Name, but: own,
				make: func(t *testing.T, full jetstream.JetStream) *natsgo.Msg {
					consumer, err := full.Consumer(t.Context(), schema.EventsStream, q.Name)
					must(t, err)
					taken := nextMessage(t, "an event of "+q.Name, consumer)
					return &natsgo.Msg{Subject: taken.Reply(), Data: []byte("+ACK")}
				}},
			attempt{name: "look up " + q.Name,
				make: request(api+"CONSUMER.INFO.WAGEWIRE_EVENTS."+q.Name, ""), but: own},
			attempt{name: "look up the advisories of " + q.Name,
				make: request(api+"CONSUMER.INFO.WAGEWIRE_ADVISORIES."+q.Name, ""), but: own},
			attempt{name: "complete for " + q.Name, but: own,
				make: request(fmt.Sprintf("wagewire.completions.%s.%s.a.%s", q.Provider,
					q.Resource, q.Name), "{}")},
			attempt{name: "let an event wait for " + q.Name, but: own,
				make: request(webhook(typeOf(q), "new", "a").WaitingSubject(q.Name), "")},
			attempt{name: "retry for " + q.Name, but: own,
				make: request(schema.RetriesSubject(q.Name, "a"), "")},
			attempt{name: "look up the retries of " + q.Name, but: own,
				make: request(api+"CONSUMER.INFO.WAGEWIRE_WAITING."+q.Name, "")},
			attempt{name: "say that the provider refuses " + q.Name, but: pausers(q),
				make: request(schema.PauseSubject(q.Name), "{}")},
			attempt{name: "give up for " + q.Name,
				make: request(schema.DeadLetterSubject(q.Name, "a"), "{}"), but: own},
		)
	}
	return all
}

// pausers are the roles that may pause the queue. No role pauses erasures.
func pausers(q schema.Queue) []string {
	if q.Erases {
		return nil
	}
	return []string{stream.WorkerRole(q.Resource)}
}

func workerRoles() []string { return rolesOf(schema.Providers()...) }

// rolesOf returns the roles of the workers with a queue of one of the providers.
func rolesOf(providers ...schema.Provider) []string {
	var roles []string
	for _, q := range schema.Queues() {
		if slices.Contains(providers, q.Provider) {
			roles = append(roles, stream.WorkerRole(q.Resource))
		}
	}
	return roles
}

// isForNobody reports whether even the operator must not do it: to listen to everything, or to the
// inbox of another role.
func (a attempt) isForNobody() bool {
	return len(a.subscribe) > 0 &&
		(a.subscribe[0] == '_' || a.subscribe[0] == '$' || a.subscribe == ">")
}

func (a attempt) allowed(role string) bool {
	return slices.Contains(a.but, role) || role == stream.RoleOperator && !a.isForNobody()
}

// fill stores a message in every stream, and in every queue an event for each role.
func fill(t *testing.T, b broker) {
	t.Helper()
	c := b.connect(t, stream.RoleOperator)
	provision(t, c, schema.DefaultTopology())
	js := b.dial(t, stream.RoleOperator).jetstream(t)
	makeDurables(t, js, demoTeams(t)[0])
	for _, q := range schema.Queues() {
		for n := range 2 * len(stream.Grants()) {
			_, err := js.Publish(t.Context(), webhook(typeOf(q), fmt.Sprint(n), "a").Subject(),
				[]byte("{}"))
			must(t, err)
		}
	}
	for _, subject := range []string{
		"wagewire.completions.pinwheel.paystubs.a.first",
		schema.DeadLetterSubject("pinwheel_paystubs", "a"),
		schema.QuarantineSubject(schema.Pinwheel), "$O.WAGEWIRE_RECORDS.C.first",
		"$O.WAGEWIRE_RECORDS.C.pinwheel.paystubs.a.seed.1",
		schema.RetriesSubject("pinwheel_paystubs", "a"),
	} {
		_, err := js.Publish(t.Context(), subject, []byte("{}"))
		must(t, err)
	}
}

// try does the attempt. It returns nil, a permissions violation, or another error of the broker.
func (a attempt) try(t *testing.T, c client, full jetstream.JetStream) error {
	t.Helper()
	if a.subscribe != "" {
		sub, err := c.SubscribeSync(a.subscribe)
		must(t, err)
		defer func() { _ = sub.Unsubscribe() }()
		must(t, c.Flush()) // a refusal comes before the answer to the flush
		if c.LastError() != nil {
			return next(t, "the refusal", c.refused)
		}
		return nil
	}
	msg := a.make(t, full)
	msg.Reply = c.NewInbox()
	answers := make(chan *natsgo.Msg, 1)
	sub, err := c.ChanSubscribe(msg.Reply, answers)
	must(t, err)
	defer func() { _ = sub.Unsubscribe() }()
	must(t, c.PublishMsg(msg))
	select {
	case err := <-c.refused:
		return err
	case answer := <-answers:
		return errorIn(answer)
	case <-streamtest.Late(t):
		return errors.New("neither an answer nor a refusal")
	}
}

// errorIn returns the error in an answer.
func errorIn(answer *natsgo.Msg) error {
	if status := answer.Header.Get("Status"); status != "" {
		return fmt.Errorf("status %s %s", status, answer.Header.Get("Description"))
	}
	var body struct {
		Error *jetstream.APIError `json:"error"`
	}
	if json.Unmarshal(answer.Data, &body) == nil && body.Error != nil {
		return body.Error
	}
	return nil
}

func TestWhatIsForbiddenIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	fill(t, b)
	full := b.dial(t, stream.RoleOperator).jetstream(t)
	levels := func() []stream.Level {
		levels, _, err := b.connect(t, stream.RoleOperator).Status(t.Context())
		must(t, err)
		return levels
	}
	before := levels()
	tried := 0
	for _, grant := range stream.Grants() {
		t.Run(grant.Role, func(t *testing.T) {
			c := b.dial(t, grant.Role)
			for _, a := range attempts() {
				if a.allowed(grant.Role) {
					continue
				}
				tried++
				if err := a.try(t, c, full); !errors.Is(err, natsgo.ErrPermissionViolation) {
					t.Errorf("%s: %v, want a permissions violation", a.name, err)
				}
			}
		})
	}
	if diff := cmp.Diff(before, levels()); diff != "" {
		t.Errorf("an attempt changed a stream (-before +after):\n%s", diff)
	}
	t.Logf("%d tried", tried)
}

// Every refusal above is for want of rights: without permissions in the configuration, every
// attempt works.
func TestWhatIsForbiddenWouldWorkWithTheRights(t *testing.T) {
	t.Parallel()
	unbound := func(o *server.Options) {
		quick(o)
		for _, user := range o.Nkeys {
			user.Permissions = nil
		}
	}
	shared := start(t, unbound)
	fill(t, shared)
	for _, a := range attempts() {
		t.Run(a.name, func(t *testing.T) {
			b := shared
			if a.destroys {
				t.Parallel()
				b = start(t, unbound)
				fill(t, b)
			}
			if err := a.try(t, b.dial(t, team),
				b.dial(t, stream.RoleOperator).jetstream(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The roles in but can do the attempt. Without this test, a configuration that forbids everything
// would pass.
func TestWhatIsForbiddenToOthersIsAllowedToTheRole(t *testing.T) {
	t.Parallel()
	for _, a := range attempts() {
		for _, role := range append(slices.Clone(a.but), stream.RoleOperator) {
			if !a.destroys || !a.allowed(role) {
				continue
			}
			t.Run(a.name+" as "+role, func(t *testing.T) {
				t.Parallel()
				b := start(t, quick)
				fill(t, b)
				if err := a.try(t, b.dial(t, role),
					b.dial(t, stream.RoleOperator).jetstream(t)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	b := start(t, quick)
	fill(t, b)
	full := b.dial(t, stream.RoleOperator).jetstream(t)
	for _, a := range attempts() {
		for _, role := range append(slices.Clone(a.but), stream.RoleOperator) {
			if a.destroys || !a.allowed(role) {
				continue
			}
			if err := a.try(t, b.dial(t, role), full); errors.Is(err,
				natsgo.ErrPermissionViolation) {
				t.Errorf("%s as %s: %v", a.name, role, err)
			}
		}
	}
}

func TestNobodyConnectsWithoutAKeyOfTheBroker(t *testing.T) {
	t.Parallel()
	b := start(t, quick)
	stranger, err := nkeys.CreateUser()
	must(t, err)
	public, err := stranger.PublicKey()
	must(t, err)
	for promise, options := range map[string][]natsgo.Option{
		"without a key":              nil,
		"with a name and a password": {natsgo.UserInfo("ingress", "ingress")},
		"with a token":               {natsgo.Token("ingress")},
		"with an unknown key":        {natsgo.Nkey(public, stranger.Sign)},
		"with a known key and another's seed": {natsgo.Nkey(keyOf(t, stream.RoleIngress),
			stranger.Sign)},
	} {
		nc, err := natsgo.Connect(b.url, options...)
		if err == nil {
			nc.Close()
		}
		if !errors.Is(err, natsgo.ErrAuthorization) {
			t.Errorf("%s: %v", promise, err)
		}
	}
	b.dial(t, stream.RoleIngress) // with its own
}

func keyOf(t *testing.T, role string) string {
	t.Helper()
	option, err := natsgo.NkeyOptionFromSeed(filepath.Join(demo, seedFile(role)))
	must(t, err)
	var o natsgo.Options
	must(t, option(&o))
	return o.Nkey
}
