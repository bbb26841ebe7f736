package nats_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	natsgo "github.com/nats-io/nats.go"

	"github.com/wagewire/wagewire/deploy/nats"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// canary is an account number that no team without the grant may see.
const canary = "canary-4417002913"

// noResponders is the status of an answer to a request that nobody serves.
const noResponders = "503"

// banked is a broker with completions of each resource for each of its queues. The records of bank
// accounts have the canary, inline and as a large object.
type banked struct {
	broker
	others, banks stream.Team
	seeds         map[string]string
	// chunks are the subjects of the large objects with the canary.
	chunks []string
}

func newBanked(t *testing.T) banked {
	t.Helper()
	b := banked{
		others: stream.Team{Name: "others", Durables: []string{"others"},
			Resources: slices.DeleteFunc(schema.WorkerResources(), isBankAccounts)},
		banks: stream.Team{Name: "banks", Durables: []string{"banks"},
			Resources: []schema.Resource{schema.BankAccounts}},
		seeds: map[string]string{},
	}
	dir := copyInstallation(t)
	b.others.Key, b.seeds["others"] = newSeed(t, dir)
	b.banks.Key, b.seeds["banks"] = newSeed(t, dir)
	teams := nats.Teams([]stream.Team{b.others, b.banks})
	must(t, os.WriteFile(filepath.Join(dir, nats.TeamsFile), []byte(teams), 0o600))
	b.broker = startIn(t, dir, "nats.conf", quick)
	operator := b.connect(t, stream.RoleOperator)
	provision(t, operator, schema.DefaultTopology())
	for _, team := range []stream.Team{b.others, b.banks} {
		changes, err := operator.PlanTeam(t.Context(), team, stream.Reading{})
		must(t, err)
		states, err := operator.PlanTeamAccounts(t.Context(), team)
		must(t, err)
		must(t, operator.Apply(t.Context(), append(changes, states...)))
	}
	for _, q := range schema.Queues() {
		if !q.Erases {
			b.complete(t, q)
		}
	}
	return b
}

func isBankAccounts(r schema.Resource) bool { return r == schema.BankAccounts }

// complete stores two completions of a queue as its worker: one with inline records, and one with
// a large object.
func (b *banked) complete(t *testing.T, q schema.Queue) {
	t.Helper()
	text := "x "
	if isBankAccounts(q.Resource) {
		text = canary + " "
	}
	worker := b.connect(t, stream.WorkerRole(q.Resource))
	for id, record := range map[string]string{
		"inline": `{"account_number":"` + text + `"}`, "large": large(text),
	} {
		e := webhook(typeOf(q), id, "account")
		c := schema.NewCompletion(e, q.Resource, schema.Succeeded, e.ReceivedAt)
		c.Data.Records = []json.RawMessage{json.RawMessage(record)}
		_, err := worker.PublishCompletion(t.Context(), e, c)
		must(t, err)
	}
}

// read takes every completion of the team, and acknowledges none.
func (b *banked) read(t *testing.T, team stream.Team) (all []schema.Completion, text []byte) {
	t.Helper()
	consumer, err := b.dialSeed(t, b.seeds[team.Name]).jetstream(t).Consumer(t.Context(),
		schema.CompletionsStream, team.Name)
	must(t, err)
	want := consumer.CachedInfo().NumPending
	for range want {
		msg := nextMessage(t, "a completion for "+team.Name, consumer)
		var c schema.Completion
		must(t, json.Unmarshal(msg.Data(), &c))
		all = append(all, c)
		text = append(text, msg.Data()...)
	}
	return all, text
}

func TestATeamWithTheGrantReadsBankAccounts(t *testing.T) {
	t.Parallel()
	b := newBanked(t)
	completions, inline := b.read(t, b.banks)
	if !bytes.Contains(inline, []byte(canary)) {
		t.Error("no inline record has the account number")
	}
	config := b.config(stream.RoleIngress)
	config.CredsFile = b.seeds[b.banks.Name]
	reader := b.connectWith(t, config, b.banks.Name)
	objects := map[schema.Provider]bool{}
	for _, c := range completions {
		if c.Data.RecordsRef == nil || !isBankAccounts(c.Data.Resource) {
			continue
		}
		records, err := reader.Records(t.Context(), *c.Data.RecordsRef)
		must(t, err)
		objects[c.Data.Provider] = len(records) == 1 && bytes.Contains(records[0], []byte(canary))
	}
	for _, q := range schema.QueuesOf(schema.BankAccounts) {
		if !objects[q.Provider] {
			t.Errorf("no object of %s has the account number", q.Provider)
		}
	}
}

// A team with every other resource sends each of its requests, as it stands and with other words
// for the wildcards and in the body.
func TestATeamWithoutTheGrantSeesNoBankAccount(t *testing.T) {
	t.Parallel()
	b := newBanked(t)
	granted, _ := b.read(t, b.banks)
	for _, c := range granted {
		if c.Data.RecordsRef != nil && isBankAccounts(c.Data.Resource) {
			b.chunks = append(b.chunks, c.Data.RecordsRef.ChunkSubject(1))
		}
	}
	completions, text := b.read(t, b.others)
	seen := map[schema.Resource]bool{}
	for _, c := range completions {
		seen[c.Data.Resource] = true
	}
	for _, r := range b.others.Resources {
		if !seen[r] {
			t.Errorf("the team gets no completion of %s", r)
		}
	}
	c := b.dialSeed(t, b.seeds[b.others.Name])
	answers := 0
	for _, subject := range b.requests() {
		for _, body := range bodies() {
			for _, answer := range b.ask(t, c, subject, body) {
				if answer.Header.Get("Status") == noResponders {
					continue // it repeats the request
				}
				answers++
				text = append(text, answer.Data...)
				for _, values := range answer.Header {
					text = append(text, strings.Join(values, " ")...)
				}
			}
		}
	}
	if answers == 0 || seen[schema.BankAccounts] {
		t.Errorf("%d answers, completions of %v", answers, seen)
	}
	if bytes.Contains(text, []byte(canary)) {
		t.Error("a team without the grant has read an account number")
	}
	if bytes.Contains(text, []byte(".bank_accounts.")) {
		t.Error("a team without the grant has read a subject of bank accounts")
	}
}

// requests are the subjects of the team's rights, with different words for each wildcard, and the
// subjects of the bank accounts in the place of its own.
func (b *banked) requests() []string {
	var subjects []string
	for _, subject := range b.others.Grant().Requests {
		if strings.HasPrefix(subject, "$JS.ACK.") {
			continue // without a reply
		}
		subject = stream.DomainSubject(stream.Domain, subject)
		for _, word := range []string{"*", ">", "truv", "pinwheel", "account", "bank_accounts"} {
			subjects = append(subjects, strings.ReplaceAll(subject, "*", word))
		}
	}
	objects := stream.DomainSubject(stream.Domain, "$JS.API.DIRECT.GET.OBJ_WAGEWIRE_RECORDS")
	for _, chunk := range b.chunks {
		subjects = append(subjects, objects+"."+chunk)
	}
	return append(subjects, objects, objects+".$O.WAGEWIRE_RECORDS.C.*.bank_accounts.*.*.*",
		objects+".$O.WAGEWIRE_RECORDS.C.>", objects+".>")
}

// bodies are what a request may say beside its subject.
func bodies() []string {
	return []string{
		"", `{"batch":1000,"no_wait":true}`, `{"batch":100,"next_by_subj":">","seq":1}`,
		`{"multi_last":["$O.WAGEWIRE_RECORDS.C.>"],"batch":100}`,
		`{"last_by_subj":"$O.WAGEWIRE_RECORDS.C.>"}`, `{"seq":1}`,
		`{"no_wait":true,"filter_subject":"wagewire.completions.>"}`,
	}
}

// ask sends a request and returns every answer until the broker says that there is no more.
func (b *banked) ask(t *testing.T, c client, subject, body string) (answers []*natsgo.Msg) {
	t.Helper()
	isNext := strings.Contains(subject, "CONSUMER.MSG.NEXT.")
	if isNext && !strings.Contains(body, "no_wait") {
		return nil // waits for completions that never come
	}
	inbox := c.NewRespInbox()
	from := make(chan *natsgo.Msg, 1000)
	sub, err := c.ChanSubscribe(inbox, from)
	must(t, err)
	defer func() { must(t, sub.Unsubscribe()) }()
	must(t, c.PublishRequest(subject, inbox, []byte(body)))
	for {
		msg := next(t, "an answer to "+subject, from)
		answers = append(answers, msg)
		// A status ends a batch. Other answers are alone.
		if !isNext || msg.Header.Get("Status") != "" {
			return answers
		}
	}
}
