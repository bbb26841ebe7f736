package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/ingress"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
	"github.com/wagewire/wagewire/schema/stream/streamtest"
	"github.com/wagewire/wagewire/workers"
	"github.com/wagewire/wagewire/workers/api/pace"
	"github.com/wagewire/wagewire/workers/fetch"
)

// Canaries stand for a person's data: each is unique, and in one place where such data goes.
const (
	canaryTracking = "CANARY-TRACKING-77" // in every webhook
	canaryUser     = "CANARY-USER-77"     // in every webhook
	canaryRecord   = "CANARY-RECORD-77"   // in the records of a completion
	canaryLarge    = "CANARY-LARGE-77"    // in the records of a large completion
	canaryEndUser  = "CANARY-ENDUSER-77"  // in the members of a completion beside its records
	canaryMissing  = "CANARY-MISSING-77"
	canaryDeleted  = "CANARY-DELETED-77"
)

var canaries = []string{
	canaryTracking, canaryUser, canaryRecord, canaryLarge, canaryEndUser, canaryMissing,
	canaryDeleted, canaryPerson77.lastFour, canaryPerson77.account,
}

// canaryPerson77 has the texts in the records of every other resource.
var canaryPerson77 = secretsOf(77)

// canaryLink is the id of the account. It stays, in the tombstone and in the completion `deleted`.
const canaryLink = "link-of-canary-77"

// canaryLine is ingress, every worker of Truv and a payroll API around a broker whose files the
// test can read.
type canaryLine struct {
	*testing.T
	stores   []string // the directories of the broker, one for each server
	conn     *stream.Conn
	js       jetstream.JetStream
	webhooks string
	api      *linkAPI
}

// linkAPI serves every call with the same answer, or with the documented records if the answer has
// no body.
type linkAPI struct {
	mu     sync.Mutex
	status int
	body   string
}

func (a *linkAPI) answer(status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = status
	a.body = body
}

func (a *linkAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, cmp.Or(a.body, canaryPerson77.records(r.URL.Path)))
}

// startCanaryLine starts the line at a broker that has its streams.
func startCanaryLine(t *testing.T, url string, stores ...string) *canaryLine {
	t.Helper()
	l := &canaryLine{T: t, stores: stores, api: &linkAPI{}}
	l.conn = l.connect(url)
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(askEvery))
	l.must(err)
	t.Cleanup(nc.Close)
	l.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(requestFor))
	l.must(err)

	server := httptest.NewServer(l.api)
	t.Cleanup(server.Close)
	getenv := l.environment(server.URL)
	config, err := ingress.ConfigFromEnv(getenv)
	l.must(err)
	config.Addr = "127.0.0.1:0"
	config.DrainFor = 0
	receiver, err := ingress.New(config, l.connect(url), zap.NewNop(), prometheus.NewRegistry())
	l.must(err)
	l.webhooks = "http://" + receiver.Addr() + "/webhooks/" + fake.Truv
	l.background(receiver.Run)

	conn := l.connect(url)
	sources, err := fetch.OpenAll(workers.Surroundings{
		Getenv: getenv, Registry: prometheus.NewRegistry(), Log: zap.NewNop(),
		Budget: func(p schema.Provider) pace.Store { return conn.Budget(p) },
	})
	l.must(err)
	working, err := workers.ConfigFromEnv(getenv)
	l.must(err)
	working.StopFor = time.Second
	for _, r := range schema.WorkerResources() {
		if _, isTruvs := sources[r][schema.Truv]; !isTruvs {
			continue
		}
		worker := workers.New(r, sources[r], conn, working, zap.NewNop(), prometheus.NewRegistry())
		l.background(worker.Run)
	}
	return l
}

// environment names the API, and lets an event that is not ready wait for longer than any test.
func (l *canaryLine) environment(api string) func(string) string {
	secret := filepath.Join(l.TempDir(), "truv.secret")
	l.must(os.WriteFile(secret, []byte(fake.Secret(fake.Truv)+"\n"), 0o600))
	env := fake.Environment(fake.Truv, api)
	variables := map[string]string{"NOT_READY_LADDER": "10h"}
	for name, value := range env {
		variables[schema.Truv.Variable(name)] = value
	}
	variables[schema.Truv.Variable("URL")] = api
	variables[schema.Truv.Variable("SECRETS_FILE")] = secret
	variables[fetch.SecretVariable(schema.Truv)] = secret
	return func(key string) string { return variables[key] }
}

func (l *canaryLine) connect(url string) *stream.Conn {
	l.Helper()
	conn, err := stream.Connect(stream.Config{URL: url}, l.Name(), zap.NewNop())
	l.must(err)
	l.Cleanup(conn.Close)
	return conn
}

func (l *canaryLine) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil {
			l.Error(err)
		}
	}()
	l.Cleanup(func() { cancel(); <-done })
}

func (l *canaryLine) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func canaryEvent(id, action string) schema.Event {
	return schema.Event{
		Provider: schema.Truv, ID: id, Type: "link-" + action, Resource: schema.Link,
		Action: action, AccountID: canaryLink,
		OccurredAt: time.Now().UTC(), ReceivedAt: time.Now().UTC(),
	}
}

// send sends a webhook about the link itself: see sendType.
func (l *canaryLine) send(id, action string) (duplicate bool) {
	l.Helper()
	return l.sendType(id, "link-"+action)
}

// sendType signs a webhook about the link and sends it until ingress answers 200.
func (l *canaryLine) sendType(id, webhookType string) (duplicate bool) {
	l.Helper()
	body := fmt.Appendf(nil, `{"webhook_id":%q,"event_type":%q,"link_id":%q,"product":"income",`+
		`"status":"done","object_id":"object","employment_id":"object","objects_count":1,`+
		`"updated_at":"2026-02-03T15:19:11.058437+00:00","tracking_info":%q,"user_id":%q}`,
		id, webhookType, canaryLink, canaryTracking, canaryUser)
	streamtest.Eventually(l, "ingress stores "+id, func() bool {
		request, err := http.NewRequestWithContext(l.Context(), http.MethodPost, l.webhooks,
			bytes.NewReader(body))
		l.must(err)
		request.Close = true
		l.must(fake.Sign(fake.Truv, request.Header, fake.Secret(fake.Truv), time.Now(), body))
		response, err := http.DefaultClient.Do(request)
		l.must(err)
		defer func() { _ = response.Body.Close() }()
		var answer struct{ Duplicate bool }
		if response.StatusCode != http.StatusOK {
			return false
		}
		l.must(json.NewDecoder(response.Body).Decode(&answer))
		duplicate = answer.Duplicate
		return true
	})
	return duplicate
}

// subjects are the subjects of the messages on a stream that match the filter.
func (l *canaryLine) subjects(name, filter string) (subjects []string) {
	l.Helper()
	var counts map[string]uint64
	streamtest.Eventually(l, "the subjects of "+name, func() bool {
		s, err := l.js.Stream(l.Context(), name)
		if err == nil {
			var info *jetstream.StreamInfo
			info, err = s.Info(l.Context(), jetstream.WithSubjectFilter(filter))
			if err == nil {
				counts = info.State.Subjects
			}
		}
		return err == nil
	})
	for subject, n := range counts {
		subjects = append(subjects, slices.Repeat([]string{subject}, int(n))...)
	}
	slices.Sort(subjects)
	return subjects
}

func (l *canaryLine) await(what, name, filter string) {
	l.Helper()
	streamtest.Eventually(l, what, func() bool { return len(l.subjects(name, filter)) > 0 })
}

// awaitSettled waits until the queue of erasures has nothing to do and nothing in hand.
func (l *canaryLine) awaitSettled() {
	l.Helper()
	streamtest.Eventually(l, "the erasure is settled", func() bool {
		consumer, err := l.js.Consumer(l.Context(), schema.EventsStream,
			schema.ErasuresName(schema.Truv))
		if err != nil {
			return false
		}
		info := consumer.CachedInfo()
		return info.NumPending == 0 && info.NumAckPending == 0
	})
}

// fill puts canaries into every place for data of the account: events, a completion, a large
// completion, a completion with ids, a dead letter. One event waits.
func (l *canaryLine) fill() {
	l.Helper()
	done := func(id string) {
		subject := canaryEvent(id, schema.ActionConnected).CompletionSubject(schema.Link)
		l.await("the completion of "+id, schema.CompletionsStream, subject)
	}
	link := func(member string) string {
		return fmt.Sprintf(`{"id":%q,"ssn":%q}`, canaryLink, member)
	}
	l.api.answer(http.StatusOK, link(canaryRecord))
	l.send("small", schema.ActionConnected)
	done("small")
	l.api.answer(http.StatusOK,
		link(strings.Repeat(canaryLarge+" ", schema.CompletionBytesMax/len(canaryLarge))))
	l.send("large", schema.ActionConnected)
	done("large")
	l.api.answer(http.StatusUnprocessableEntity, link(canaryRecord))
	l.send("refused", schema.ActionConnected)
	l.await("a dead letter", schema.DeadLettersStream, schema.DeadLetterSubject("*", canaryLink))
	l.fillResources(link(canaryRecord))

	listed := canaryEvent("listed", schema.ActionConnected)
	c := schema.NewCompletion(listed, schema.Link, schema.Succeeded, time.Now())
	endUser := canaryEndUser
	c.Data.EndUserID = &endUser
	c.Data.Missing = []string{canaryMissing}
	c.Data.Deleted = []string{canaryDeleted}
	_, err := l.conn.PublishCompletion(l.Context(), listed, c)
	l.must(err)
	for _, canary := range canaries {
		streamtest.Eventually(l, canary+" is in a file", func() bool {
			return len(l.filesWith(canary)) > 0
		})
	}
}

// fillResources puts a completion of every resource into the streams, and an event into the waiting
// events of every queue, whose call is answered with the body.
func (l *canaryLine) fillResources(notFound string) {
	l.Helper()
	l.api.answer(http.StatusOK, "")
	for _, w := range truvTypes() {
		l.sendType("done-"+w.Name, w.Name)
		for _, r := range w.Workers {
			e := schema.Event{
				Provider: schema.Truv, ID: "done-" + w.Name, Type: w.Name, AccountID: canaryLink,
			}
			l.await("the completion of "+w.Name, schema.CompletionsStream, e.CompletionSubject(r))
		}
	}
	l.api.answer(http.StatusNotFound, notFound)
	for _, w := range truvTypes() {
		l.sendType("waits-"+w.Name, w.Name)
	}
	for _, q := range schema.Queues() {
		if q.Provider == schema.Truv && !q.Erases {
			l.await("a waiting event of "+q.Name, q.WaitingStream(),
				schema.AccountWaiting("*", canaryLink))
		}
	}
	if files := l.filesWith(canaryPerson77.token); len(files) > 0 {
		l.Errorf("an access token has left the client: %v", files)
	}
}

// filesWith are the files below the broker's directories with one of the texts.
func (l *canaryLine) filesWith(texts ...string) (found []string) {
	l.Helper()
	for _, store := range l.stores {
		err := filepath.WalkDir(store, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && entry.IsDir() {
				return nil // removed meanwhile, or a directory
			}
			if err != nil {
				return err
			}
			content, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			has := func(text string) bool { return bytes.Contains(content, []byte(text)) }
			if slices.ContainsFunc(texts, has) {
				found = append(found, path)
			}
			return err
		})
		l.must(err)
	}
	return found
}

// checkLeft fails the test unless the streams have only what should be left of an erased account.
func (l *canaryLine) checkLeft(when string) {
	l.Helper()
	deleted := canaryEvent("deleted", schema.ActionDeleted).CompletionSubject(schema.Link)
	want := []string{deleted, schema.TombstoneSubject(schema.Truv, canaryLink)}
	var left []string
	streams := []string{
		schema.EventsStream, schema.CompletionsStream, schema.DeadLettersStream,
		schema.PausesStream,
	}
	for _, q := range schema.Queues() {
		streams = append(streams, q.WaitingStream())
	}
	for _, name := range streams {
		left = append(left, l.subjects(name, ">")...)
	}
	if !slices.Equal(left, want) {
		l.Errorf("%s, the streams hold %v, want %v", when, left, want)
	}
}

func TestADeletedLinkLeavesNoTraceInTheFilesOfTheBroker(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	s := streamtest.Run(t, streamtest.Config{Dir: store})
	streamtest.Provision(t, s.Connect(t), streamtest.Topology())
	l := startCanaryLine(t, s.URL(), store)
	l.fill()
	for _, file := range l.filesWith(canaries...) {
		if strings.Contains(file, "WAGEWIRE_WAITING") {
			t.Errorf("a waiting event has a body: %s", file)
		}
	}
	check := func(when string) {
		t.Helper()
		if files := l.filesWith(canaries...); len(files) > 0 {
			t.Errorf("%s, data of the person is in %v", when, files)
		}
		l.checkLeft(when)
	}

	l.send("deleted", schema.ActionDeleted)
	deleted := canaryEvent("deleted", schema.ActionDeleted).CompletionSubject(schema.Link)
	l.await("the completion deleted", schema.CompletionsStream, deleted)
	l.awaitSettled()
	check("after the erasure")
	// Only what is stored is a duplicate. A webhook that was erased is stored and erased again.
	again := func(when string) {
		t.Helper()
		if l.send("deleted", schema.ActionDeleted) {
			t.Errorf("%s, an erased webhook is a duplicate", when)
		}
		streamtest.Eventually(t, "the webhook is erased again", func() bool {
			return len(l.subjects(schema.EventsStream, ">")) == 0
		})
		l.awaitSettled()
		check(when)
	}
	again("after the webhook came again")

	s.Stop()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	check("after a restart")
	again("after the webhook came again behind the restart")
}
