package fake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// recordsMax is how many paystubs or shifts an instruction may ask for.
const recordsMax = 20_000

// instructionBytesMax is the size of the largest instruction.
const instructionBytesMax = 1 << 20

func (f *Providers) routeControl() {
	routes := map[string]func(*http.Request) (int, any){
		"POST /control/faults":   f.postFault,
		"GET /control/faults":    show(f.Faults),
		"DELETE /control/faults": reset(f.ClearFaults),

		"POST /control/people":           f.postPerson,
		"GET /control/people":            f.getPeople,
		"GET /control/people/{id}":       f.getPerson,
		"POST /control/people/{id}/play": f.postPlay,

		"POST /control/webhooks": f.postWebhook,
		"GET /control/webhooks":  show(f.Sent),

		"POST /control/subscriptions":            f.postSubscription,
		"GET /control/subscriptions":             show(f.Subscriptions),
		"POST /control/subscriptions/{id}/pause": f.postPause,

		"POST /control/fixtures": f.postFixture,

		"GET /control/calls":    show(f.Calls),
		"DELETE /control/calls": reset(f.ResetCalls),
		"GET /control/arrivals": show(f.Arrivals),
	}
	for pattern, route := range routes {
		f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, bytesMaxOf(pattern))
			status, v := route(r)
			writeControl(w, status, v)
		})
	}
}

// bytesMaxOf is the size of the largest body of a route.
func bytesMaxOf(pattern string) int64 {
	if strings.HasSuffix(pattern, "/fixtures") {
		return fixtureBytesMax
	}
	return instructionBytesMax
}

// show makes a route for a value.
func show[T any](get func() T) func(*http.Request) (int, any) {
	return func(*http.Request) (int, any) { return http.StatusOK, get() }
}

// reset makes a route for a reset.
func reset(do func()) func(*http.Request) (int, any) {
	return func(*http.Request) (int, any) {
		do()
		return http.StatusNoContent, nil
	}
}

// writeControl writes the response of a route: a value, an error or, with nil, the status alone.
func writeControl(w http.ResponseWriter, status int, v any) {
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
}

// readInstruction reads the body of a control request into v. An empty body changes nothing. An
// unknown field is an error.
func readInstruction(r *http.Request, v any) error {
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
	if err := readInstruction(r, &t); err != nil {
		return http.StatusBadRequest, err
	}
	s, err := f.AddFault(t)
	if err != nil {
		return http.StatusBadRequest, err
	}
	return http.StatusCreated, s
}

// personView is a person in the control tree: the ids at every provider, and counts.
// "id" is the account's id at the first provider.
func personView(p *Person) object {
	view := object{{"id", providers[0].ids(p)[0].value}, {"end_user_id", p.EndUserID}}
	for _, provider := range providers {
		view = append(view, provider.ids(p)...)
	}
	return append(view, member{"paystubs", p.paystubCount}, member{"shifts", p.shiftCount},
		member{"earlier_paystubs", p.earlierCount})
}

func (f *Providers) postPerson(r *http.Request) (int, any) {
	var in struct {
		Paystubs  *int   `json:"paystubs"`
		Shifts    *int   `json:"shifts"`
		Earlier   *int   `json:"earlier_paystubs"`
		EndUserID string `json:"end_user_id"`
		Seed      uint64 `json:"seed"`
		Forbidden bool   `json:"forbidden"`
	}
	if err := readInstruction(r, &in); err != nil {
		return http.StatusBadRequest, err
	}
	paystubs, err := recordCount("paystubs", in.Paystubs)
	if err != nil {
		return http.StatusBadRequest, err
	}
	shifts, err := recordCount("shifts", in.Shifts)
	if err != nil {
		return http.StatusBadRequest, err
	}
	earlier, err := recordCount("earlier_paystubs", in.Earlier)
	if err != nil {
		return http.StatusBadRequest, err
	}
	opts := PersonOptions{
		EndUserID: in.EndUserID, Seed: in.Seed, Paystubs: paystubs, Shifts: shifts,
		EarlierPaystubs: earlier, Forbidden: in.Forbidden,
	}
	return http.StatusCreated, personView(f.Person(opts))
}

// recordCount translates a count of an instruction, where 0 means none, to a count of
// PersonOptions, where a negative number means none.
func recordCount(field string, count *int) (int, error) {
	switch {
	case count == nil:
		return 0, nil
	case *count < 0 || *count > recordsMax:
		return 0, fmt.Errorf("%s: %d is not between 0 and %d", field, *count, recordsMax)
	default:
		return cmp.Or(*count, -1), nil
	}
}

func (f *Providers) getPeople(*http.Request) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	views := []object{}
	for _, p := range f.people {
		views = append(views, personView(p))
	}
	return http.StatusOK, views
}

// getPerson finds a person by any id: of an account, an end user or a link.
func (f *Providers) getPerson(r *http.Request) (int, any) {
	p := f.find(r.PathValue("id"))
	if p == nil {
		return http.StatusNotFound, fmt.Errorf("nobody has the id %s", r.PathValue("id"))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return http.StatusOK, personView(p)
}

func (f *Providers) postPlay(r *http.Request) (int, any) {
	var in struct {
		Times    int  `json:"times"`
		Retry    bool `json:"retry"`
		Shuffled bool `json:"shuffled"`
		Keep     bool `json:"keep"`
		Lost     bool `json:"lost"`
	}
	if err := readInstruction(r, &in); err != nil {
		return http.StatusBadRequest, err
	}
	p := f.find(r.PathValue("id"))
	if p == nil {
		return http.StatusNotFound, fmt.Errorf("nobody has the id %s", r.PathValue("id"))
	}
	played, err := f.Play(r.Context(), p, SendOptions{
		Copies: in.Times, Retry: in.Retry, Shuffled: in.Shuffled, Lost: in.Lost,
		Keep: in.Keep,
	})
	if err != nil {
		return http.StatusServiceUnavailable, err
	}
	return http.StatusOK, played
}

// webhookInstruction is the body of POST /control/webhooks.
type webhookInstruction struct {
	Type     string `json:"type"`
	Provider string `json:"provider"`
	Account  string `json:"account"` // any id of a person; empty means the newest person

	ID        string   `json:"id"`
	Outcome   string   `json:"outcome"`
	ErrorCode string   `json:"error_code"`
	ErrorType string   `json:"error_type"`
	Added     []string `json:"added"`
	Deleted   []string `json:"deleted"`

	MonitoringStatus string `json:"monitoring_status"`

	Status       string `json:"status"`
	Product      string `json:"product"`
	ObjectID     string `json:"object_id"`
	EmploymentID string `json:"employment_id"`
	ObjectsCount *int   `json:"objects_count"`

	Raw *string `json:"raw"` // sent in place of the body, with a signature

	Times        int      `json:"times"`
	Retry        bool     `json:"retry"`
	BadSignature bool     `json:"bad_signature"`
	OldTimestamp Duration `json:"old_timestamp"`
	Lost         bool     `json:"lost"`
	Refresh      bool     `json:"refresh"`
}

func (f *Providers) postWebhook(r *http.Request) (int, any) {
	var in webhookInstruction
	if err := readInstruction(r, &in); err != nil {
		return http.StatusBadRequest, err
	}
	w, err := f.webhookOf(in)
	if err != nil {
		return http.StatusBadRequest, err
	}
	var last answered
	var copies []answeredCopy
	for range max(in.Times, 1) {
		began := time.Now()
		answer, err := f.SendWith(r.Context(), w, SendOptions{
			Retry:        in.Retry,
			BadSignature: in.BadSignature,
			Old:          time.Duration(in.OldTimestamp),
			Lost:         in.Lost,
		})
		last = answered{Sent: sentOf(w, answer, err), Answer: readable(answer.Body)}
		copies = append(copies, answeredCopy{
			Status: last.Status, Error: last.Error, Answer: last.Answer,
			Took: Duration(time.Since(began)),
		})
		if r.Context().Err() != nil {
			break
		}
	}
	if in.Times > 1 {
		last.Copies = copies
	}
	return http.StatusOK, last
}

// answered is a sending with the receiver's last answer.
type answered struct {
	Sent
	Answer any `json:"answer"`
	// Copies has the answer to each copy of a webhook that is sent more than once.
	Copies []answeredCopy `json:"copies,omitempty"`
}

// answeredCopy is the receiver's answer to a copy of a webhook.
type answeredCopy struct {
	Status int      `json:"status"` // 0: there was no response
	Error  string   `json:"error,omitempty"`
	Answer any      `json:"answer"`
	Took   Duration `json:"took"`
}

// webhookOf makes the webhook of an instruction.
func (f *Providers) webhookOf(in webhookInstruction) (Webhook, error) {
	if in.Raw != nil && in.Type == "" {
		return rawWebhook(in)
	}
	p, err := f.personOf(in.Account)
	if err != nil {
		return Webhook{}, err
	}
	objectsCount := 0
	if in.ObjectsCount != nil {
		objectsCount = cmp.Or(*in.ObjectsCount, -1)
	}
	w, err := f.Event(p, in.Type, EventOptions{
		Provider:  in.Provider,
		ID:        in.ID,
		Outcome:   in.Outcome,
		ErrorCode: in.ErrorCode,
		ErrorType: in.ErrorType,
		Added:     in.Added,
		Deleted:   in.Deleted,

		MonitoringStatus: in.MonitoringStatus,
		Refresh:          in.Refresh,

		Status:       in.Status,
		Product:      in.Product,
		ObjectID:     in.ObjectID,
		EmploymentID: in.EmploymentID,
		ObjectsCount: objectsCount,
	})
	if in.Raw != nil {
		w.Body = []byte(*in.Raw)
	}
	return w, err
}

// rawWebhook makes a webhook without a type, by default of the first provider.
func rawWebhook(in webhookInstruction) (Webhook, error) {
	provider, err := lookup(cmp.Or(in.Provider, providers[0].name))
	if err != nil {
		return Webhook{}, err
	}
	return Webhook{
		Provider: provider.name, ID: in.ID, Account: in.Account, Body: []byte(*in.Raw),
	}, nil
}

// personOf returns the person of a webhook: the person with the id, or a stranger with an id
// unknown to the APIs. Without an id personOf returns the newest person.
func (f *Providers) personOf(id string) (*Person, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.byID[id]; p != nil {
		return p, nil
	}
	if id != "" {
		return f.Stranger(id), nil
	}
	if len(f.people) == 0 {
		return nil, errors.New("there is no person yet: POST /control/people makes one")
	}
	return f.people[len(f.people)-1], nil
}

// readable returns a response's body as JSON, or as text if the body is no JSON.
func readable(body []byte) any {
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}
