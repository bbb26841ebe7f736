package fake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// recordsMax is how many paystubs or shifts the control endpoint makes.
const recordsMax = 10_000

func (f *Providers) routeControl() {
	routes := map[string]func(*http.Request) (int, any){
		"POST /control/faults":   f.postFault,
		"GET /control/faults":    func(*http.Request) (int, any) { return http.StatusOK, f.Faults() },
		"DELETE /control/faults": func(*http.Request) (int, any) { f.ClearFaults(); return http.StatusNoContent, nil },

		"POST /control/people":           f.postPerson,
		"GET /control/people":            f.getPeople,
		"POST /control/people/{id}/play": f.postPlay,

		"POST /control/webhooks": f.postWebhook,
		"GET /control/webhooks":  func(*http.Request) (int, any) { return http.StatusOK, f.Sent() },

		"GET /control/calls":    func(*http.Request) (int, any) { return http.StatusOK, f.Calls() },
		"DELETE /control/calls": func(*http.Request) (int, any) { f.ResetCalls(); return http.StatusNoContent, nil },
	}
	for pattern, route := range routes {
		f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
			status, v := route(r)
			if v == nil {
				w.WriteHeader(status)
				return
			}
			if err, ok := v.(error); ok {
				v = object{{"error", err.Error()}}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(append(encode(v), '\n'))
		})
	}
}

// instruction reads the body of a control request into v. An empty body
// changes nothing; an unknown field is an error.
func instruction(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read instruction: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read instruction: more than one JSON value")
	}
	return nil
}

func (f *Providers) postFault(r *http.Request) (int, any) {
	var t Fault
	if err := instruction(r, &t); err != nil {
		return http.StatusBadRequest, err
	}
	s, err := f.AddFault(t)
	if err != nil {
		return http.StatusBadRequest, err
	}
	return http.StatusCreated, s
}

// personView is what the control endpoint says of a person.
type personView struct {
	ID        string `json:"id"` // the account's
	AccountID string `json:"account_id"`
	EndUserID string `json:"end_user_id"`
	LinkID    string `json:"link_id"`
	UserID    string `json:"user_id"`
	Paystubs  int    `json:"paystubs"`
	Shifts    int    `json:"shifts"`
}

func viewOf(p *Person) personView {
	return personView{p.AccountID, p.AccountID, p.EndUserID, p.LinkID, p.UserID, len(p.paystubs), len(p.shifts)}
}

func (f *Providers) postPerson(r *http.Request) (int, any) {
	var in struct {
		Paystubs  *int   `json:"paystubs"`
		Shifts    *int   `json:"shifts"`
		EndUserID string `json:"end_user_id"`
		Seed      uint64 `json:"seed"`
	}
	if err := instruction(r, &in); err != nil {
		return http.StatusBadRequest, err
	}
	opts := PersonOptions{EndUserID: in.EndUserID, Seed: in.Seed}
	for _, c := range []struct {
		name string
		in   *int
		out  *int
	}{{"paystubs", in.Paystubs, &opts.Paystubs}, {"shifts", in.Shifts, &opts.Shifts}} {
		if c.in == nil {
			continue
		}
		if *c.in < 0 || *c.in > recordsMax {
			return http.StatusBadRequest, fmt.Errorf("%s: %d is not between 0 and %d", c.name, *c.in, recordsMax)
		}
		*c.out = cmp.Or(*c.in, -1) // here 0 means none
	}
	return http.StatusCreated, viewOf(f.Person(opts))
}

func (f *Providers) getPeople(*http.Request) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	views := []personView{}
	for _, p := range f.people {
		views = append(views, viewOf(p))
	}
	return http.StatusOK, views
}

func (f *Providers) postPlay(r *http.Request) (int, any) {
	var in struct {
		Times    int  `json:"times"`
		Retry    bool `json:"retry"`
		Shuffled bool `json:"shuffled"`
	}
	if err := instruction(r, &in); err != nil {
		return http.StatusBadRequest, err
	}
	p := f.find(r.PathValue("id"))
	if p == nil {
		return http.StatusNotFound, fmt.Errorf("nobody has the id %s", r.PathValue("id"))
	}
	played, err := f.Play(r.Context(), p, SendOptions{Copies: in.Times, Retry: in.Retry, Shuffled: in.Shuffled})
	if err != nil {
		return http.StatusServiceUnavailable, err
	}
	return http.StatusOK, played
}

// webhookInstruction is the body of POST /control/webhooks.
type webhookInstruction struct {
	Type     string `json:"type"`
	Provider string `json:"provider"`
	Account  string `json:"account"` // account, end user or link; "" is the newest person's

	ID        string   `json:"id"`
	Outcome   string   `json:"outcome"`
	ErrorCode string   `json:"error_code"`
	ErrorType string   `json:"error_type"`
	Added     []string `json:"added"`
	Deleted   []string `json:"deleted"`
	Raw       *string  `json:"raw"` // sent in place of the body, signed

	Times        int      `json:"times"`
	Retry        bool     `json:"retry"`
	BadSignature bool     `json:"bad_signature"`
	OldTimestamp Duration `json:"old_timestamp"`
}

func (f *Providers) postWebhook(r *http.Request) (int, any) {
	var in webhookInstruction
	if err := instruction(r, &in); err != nil {
		return http.StatusBadRequest, err
	}
	w, err := f.instructed(in)
	if err != nil {
		return http.StatusBadRequest, err
	}
	answer, err := f.SendWith(r.Context(), w, SendOptions{
		Retry:        in.Retry,
		Copies:       in.Times,
		BadSignature: in.BadSignature,
		Old:          time.Duration(in.OldTimestamp),
	})
	return http.StatusOK, struct {
		Sent
		Answer any `json:"answer"`
	}{sentOf(w, answer, err), readable(answer.Body)}
}

// instructed makes the webhook that an instruction asks for.
func (f *Providers) instructed(in webhookInstruction) (Webhook, error) {
	if in.Raw != nil && in.Type == "" {
		return rawWebhook(in)
	}
	p, err := f.subject(in.Account)
	if err != nil {
		return Webhook{}, err
	}
	w, err := f.Event(p, in.Type, EventOptions{
		Provider:  in.Provider,
		ID:        in.ID,
		Outcome:   in.Outcome,
		ErrorCode: in.ErrorCode,
		ErrorType: in.ErrorType,
		Added:     in.Added,
		Deleted:   in.Deleted,
	})
	if in.Raw != nil {
		w.Body = []byte(*in.Raw)
	}
	return w, err
}

func rawWebhook(in webhookInstruction) (Webhook, error) {
	w := Webhook{Provider: cmp.Or(in.Provider, Pinwheel), ID: in.ID, Account: in.Account, Body: []byte(*in.Raw)}
	if w.Provider != Pinwheel && w.Provider != Truv {
		return Webhook{}, fmt.Errorf("no provider %q", w.Provider)
	}
	return w, nil
}

// subject is whom a webhook is about: the person with the id, the newest
// person, or a stranger with an id that the API does not know.
func (f *Providers) subject(id string) (*Person, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch p := f.byID[id]; {
	case p != nil:
		return p, nil
	case id != "":
		return f.Stranger(id), nil
	case len(f.people) == 0:
		return nil, errors.New("there is no person yet: POST /control/people makes one")
	}
	return f.people[len(f.people)-1], nil
}

// readable is an answer's body as JSON, or as text if it is none.
func readable(body []byte) any {
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}
