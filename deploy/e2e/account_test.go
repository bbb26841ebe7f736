package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wagewire/wagewire/deploy/ledger"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
	"github.com/wagewire/wagewire/schema/stream"
)

// readyWhenVariable is the variable of the worker of accounts.
const readyWhenVariable = "ACCOUNT_READY_WHEN"

// published are the states of accounts as the worker publishes them. The stream keeps only the last
// state of an account, so a script listens to all of them.
type published struct {
	mu sync.Mutex
	// types are the types of the states by subject, oldest first.
	types  map[string][]string
	faults []error
}

// listen checks every state from now on.
func (p *published) listen(nc *nats.Conn) error {
	p.types = map[string][]string{}
	_, err := nc.Subscribe(schema.AllAccounts, p.add)
	return err
}

func (p *published) add(msg *nats.Msg) {
	if len(msg.Data) == 0 {
		return // a process asks whether the stream stores
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := jsonschematest.CheckAccount(msg.Data); err != nil {
		p.faults = append(p.faults, fmt.Errorf("%s: %w\nin %s", msg.Subject, err, msg.Data))
	}
	account, err := schema.DecodeAccount(msg.Data)
	if err != nil {
		p.faults = append(p.faults, fmt.Errorf("%s: %w", msg.Subject, err))
		return
	}
	p.types[msg.Subject] = append(p.types[msg.Subject], account.Type)
}

// count returns how many states of the type were published on a subject.
func (p *published) count(subject, typ string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, has := range p.types[subject] {
		if has == typ {
			n++
		}
	}
	return n
}

func (p *published) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.faults...)
}

// state PROVIDER STATUS
func (s *script) state(ts *testscript.TestScript, args arguments) error {
	if err := args.only(); err != nil || len(args.words) != 2 {
		return errors.Join(err, errors.New("usage: state PROVIDER STATUS"))
	}
	subject := s.stateSubject(args.words[0])
	var raw []byte
	err := s.waitFor("the state of the account", func(ctx context.Context) (bool, error) {
		messages, err := s.stored(ctx, schema.AccountsStream, subject)
		if err != nil || len(messages) == 0 {
			return false, err
		}
		raw = messages[len(messages)-1].Data
		state, err := schema.DecodeAccount(raw)
		return string(state.Data.Status) == args.words[1], err
	})
	fmt.Fprintf(ts.Stdout(), "%s\n", raw)
	return err
}

// stateSubject is the subject of the state of the newest person's account.
func (s *script) stateSubject(provider string) string {
	account := s.person.AccountID
	if schema.Provider(provider) == schema.Truv {
		account = s.person.LinkID
	}
	return schema.AccountSubject(schema.Provider(provider), schema.Token(account))
}

// redrive ID [QUEUE]
func (s *script) redrive(_ *testscript.TestScript, args arguments) error {
	if err := args.only(); err != nil || len(args.words) < 1 || len(args.words) > 2 {
		return errors.Join(err, errors.New("usage: redrive ID [QUEUE]"))
	}
	id := args.words[0]
	queue := ""
	if len(args.words) == 2 {
		queue = args.words[1]
	}
	messages, err := s.stored(s.ctx, schema.EventsStream, ">")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(messages, func(m *jetstream.RawStreamMsg) bool {
		return m.Header.Get("ce-id") == id
	})
	if i < 0 {
		return fmt.Errorf("no event %s is stored", id)
	}
	m := messages[i]
	e, err := stream.DecodeEvent(stream.Stored{
		Subject: m.Subject, Sequence: m.Sequence, Header: m.Header, Body: m.Data,
	})
	if err != nil {
		return err
	}
	stored, err := stream.NewOperator(s.conn).Redrive(s.ctx, e, queue, 1)
	if err == nil && !stored {
		err = fmt.Errorf("event %s was redriven before", id)
	}
	return err
}

// changes PROVIDER STATUS N
func (s *script) changes(_ *testscript.TestScript, args arguments) error {
	if err := args.only(); err != nil || len(args.words) != 3 {
		return errors.Join(err, errors.New("usage: changes PROVIDER STATUS N"))
	}
	subject := s.stateSubject(args.words[0])
	typ := fmt.Sprintf("wagewire.account.%s.v1", args.words[1])
	return s.waitFor("so many changes", func(context.Context) (bool, error) {
		return strconv.Itoa(s.published.count(subject, typ)) == args.words[2], nil
	})
}

// states compares the state of every account with its completions, once the worker of accounts has
// read all of them.
func (s *script) states() error {
	operator := stream.NewOperator(s.conn)
	err := s.waitFor("the states of accounts", func(ctx context.Context) (bool, error) {
		progress, err := operator.AccountsProgress(ctx)
		return progress.Left() == 0, err
	})
	if err != nil {
		return err
	}
	var when schema.ReadyWhen
	if text := s.variables[readyWhenVariable]; text != "" {
		if err := when.UnmarshalText([]byte(text)); err != nil {
			return err
		}
	}
	states := ledger.NewStates(when)
	for _, source := range []struct {
		stream, filter string
		add            func(ledger.Message)
	}{
		{schema.CompletionsStream, schema.AllCompletions, states.AddCompletion},
		{schema.AccountsStream, ">", states.AddState},
	} {
		messages, err := s.readAll(s.ctx, source.stream, source.filter)
		if err != nil {
			return err
		}
		for _, m := range messages {
			source.add(ledger.Message{
				Subject: m.Subject, Header: m.Header, Sequence: m.Sequence, Data: m.Data,
			})
		}
	}
	var faults []error
	for _, v := range states.Violations() {
		faults = append(faults, fmt.Errorf("%s %s: %s", v.What, v.ID, v.Why))
	}
	return errors.Join(append(faults, s.published.err())...)
}
