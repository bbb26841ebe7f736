package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// staleFor is less than the age of stale data, which is a day.
const staleFor = 12 * time.Hour

// Target is what a call asks for.
type Target struct{ Account, Resource string }

// Call is a call of an API.
type Call struct {
	Target

	Provider schema.Provider
	// ListsAccounts is true if the call asks for the accounts of a person. The Account of the
	// Target is then the person.
	ListsAccounts bool
}

// ParseCall reads a path as it is escaped in the URL: /<provider>/v1/….
func ParseCall(path string) Call {
	const partsMin = 6
	parts := strings.Split(path, "/")
	for len(parts) < partsMin {
		parts = append(parts, "")
	}
	c := Call{Provider: schema.Provider(parts[1])}
	p, known := providers[c.Provider]
	if !known {
		return c
	}
	c.Account, c.Resource = p.called(parts[3:])
	c.ListsAccounts = parts[3] == "end_users" && parts[5] == "accounts"
	if account, err := url.PathUnescape(c.Account); err == nil {
		c.Account = account
	}
	return c
}

// Answers counts the bad answers about a target.
type Answers struct {
	// Broken answers are 5xx, 408, cut, late or no JSON.
	Broken int
	// Lagging answers are 404 and 409, and data older than half a day.
	Lagging int
	// Forbidden answers are 403, gone answers 410.
	Forbidden int
	Gone      int
	// Rejected answers have another status of 300 to 499, except 401, 408 and 429. 401 and 429 are
	// no failure of the event.
	Rejected int
}

// ClassOf returns the class of failures that a bad answer with the status is. Status 0 is no whole
// answer.
func ClassOf(status int) schema.Class {
	switch {
	case status == http.StatusNotFound, status == http.StatusConflict:
		return schema.ClassNotReady
	case status == http.StatusForbidden:
		return schema.ClassForbidden
	case status == http.StatusUnauthorized:
		return schema.ClassUnauthorized
	case status == http.StatusTooManyRequests:
		return schema.ClassThrottled
	case status >= 300 && status < 500 && status != http.StatusRequestTimeout:
		return schema.ClassPermanent
	default:
		return schema.ClassTransient
	}
}

// count counts one more bad answer.
func (a *Answers) count(status int) {
	switch ClassOf(status) {
	case schema.ClassNotReady:
		a.Lagging++
	case schema.ClassForbidden:
		a.Forbidden++
	case schema.ClassPermanent:
		if status == http.StatusGone {
			a.Gone++
		} else {
			a.Rejected++
		}
	case schema.ClassTransient:
		a.Broken++
	default: // 401 and 429 are no failure of the event
	}
}

// Served is everything that the providers have answered. A Served is safe for concurrent use.
type Served struct {
	mu sync.Mutex
	// records are hashes of resource, account and compact JSON.
	records map[[sha256.Size]byte]bool
	// payDates are the dates of paystubs, by id.
	payDates map[string]string
	// numbers are the numbers of bank accounts that Truv gave, by link.
	numbers map[string]map[string]bool
	// accounts are the ids of the accounts of each person.
	accounts map[string]map[string]bool
	// troubled are accounts with an answer other than a complete 200, or with records held back.
	troubled map[string]bool
	// throttled are providers with an answer 429: they may have made calls about others wait.
	throttled map[schema.Provider]bool
	// aimed are accounts with a fault of their own: records held back, or a list without an end.
	aimed    map[string]bool
	answers  map[Target]Answers
	failures int
}

// NewServed returns the note of the providers' answers, without any.
func NewServed() *Served {
	return &Served{
		records:   map[[sha256.Size]byte]bool{},
		payDates:  map[string]string{},
		numbers:   map[string]map[string]bool{},
		accounts:  map[string]map[string]bool{},
		troubled:  map[string]bool{},
		throttled: map[schema.Provider]bool{},
		aimed:     map[string]bool{},
		answers:   map[Target]Answers{},
	}
}

// Aim notes that a fault will hold back records of an account.
func (s *Served) Aim(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubled[account] = true
	s.aimed[account] = true
}

// Note stores the records of an answer, or counts a bad answer. Status 0 is no answer, or an
// incomplete answer.
func (s *Served) Note(c Call, status int, body []byte) {
	var records []json.RawMessage
	ok := false
	isStale := false
	if p, known := providers[c.Provider]; known && status == http.StatusOK {
		records, ok = p.recordsIn(c.Resource, body)
		at := p.refreshedAt(body)
		isStale = ok && !at.IsZero() && at.Before(time.Now().Add(-staleFor))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	bad := s.answers[c.Target]
	switch {
	case isStale:
		bad.Lagging++
	case !ok:
		s.failures++
		s.troubled[c.Account] = true
		bad.count(status)
		if status == http.StatusTooManyRequests {
			s.throttled[c.Provider] = true
		}
	}
	s.answers[c.Target] = bad
	if c.ListsAccounts {
		s.noteAccounts(c.Account, records)
		return
	}
	for _, record := range records {
		s.records[recordHash(c.Target, record)] = true
		if c.Resource == string(schema.Paystubs) {
			s.notePayDate(record)
		}
		if c.Resource == string(schema.BankAccounts) {
			s.noteNumber(c.Account, record)
		}
	}
}

// noteAccounts notes accounts of a person. The caller holds the lock.
func (s *Served) noteAccounts(person string, records []json.RawMessage) {
	if s.accounts[person] == nil {
		s.accounts[person] = map[string]bool{}
	}
	for _, record := range records {
		var account struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(record, &account) == nil {
			s.accounts[person][account.ID] = true
		}
	}
}

// accountsOf returns the accounts of a person that the provider has named.
func (s *Served) accountsOf(person string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.accounts[person]))
}

func (s *Served) notePayDate(record []byte) {
	var paystub struct {
		ID      string `json:"id"`
		PayDate string `json:"pay_date"`
	}
	if json.Unmarshal(record, &paystub) == nil {
		s.payDates[paystub.ID] = paystub.PayDate
	}
}

// noteNumber notes the number of a bank account. The caller holds the lock.
func (s *Served) noteNumber(account string, record []byte) {
	var bank struct {
		Number string `json:"account_number"`
	}
	if json.Unmarshal(record, &bank) != nil || bank.Number == "" {
		return
	}
	if s.numbers[account] == nil {
		s.numbers[account] = map[string]bool{}
	}
	s.numbers[account][bank.Number] = true
}

// hasNumber reports whether a text has the number of a bank account of the account.
func (s *Served) hasNumber(account string, text []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number := range s.numbers[account] {
		if bytes.Contains(text, []byte(number)) {
			return true
		}
	}
	return false
}

func recordHash(of Target, record []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(of.Resource+"\x00"+of.Account+"\x00"), record...))
}

// AnswersTo returns the bad answers about the target.
func (s *Served) AnswersTo(t Target) Answers {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[t]
}

// HasServed reports whether a complete answer had the record. The record is compact, and in the
// form that a completion must have: a link has no access token.
func (s *Served) HasServed(t Target, record []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[recordHash(t, record)]
}

// CountRecords counts the different records in all complete answers.
func (s *Served) CountRecords() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

// Failures counts the bad answers of all targets, without those with old data.
func (s *Served) Failures() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures
}

// IsTroubled reports whether the account had an answer other than a complete 200, or a fault that
// held records back.
func (s *Served) IsTroubled(account string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.troubled[account]
}

func (s *Served) isThrottled(p schema.Provider) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttled[p]
}

func (s *Served) isAimed(account string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.aimed[account]
}

func (s *Served) payDate(paystub string) (date string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	date, known = s.payDates[paystub]
	return date, known
}

// Tee keeps a copy of an answer.
type Tee struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
	before func(status int)
}

// NewTee returns a writer that passes an answer on to w and keeps a copy. before is called before
// an answer is passed on: the provider has made the answer, and nobody has it yet.
func NewTee(w http.ResponseWriter, before func(status int)) *Tee {
	return &Tee{ResponseWriter: w, status: http.StatusOK, before: before}
}

// Status is the status of the answer, 200 if none was written.
func (t *Tee) Status() int { return t.status }

// WriteHeader keeps the status.
func (t *Tee) WriteHeader(status int) {
	t.status = status
	t.before(status)
	t.ResponseWriter.WriteHeader(status)
}

// Write keeps a part of the body.
func (t *Tee) Write(b []byte) (int, error) {
	t.body.Write(b)
	return t.ResponseWriter.Write(b)
}

// Unwrap lets the fakes flush a part of an answer before a cut.
func (t *Tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// NoteTee notes the answer that a tee has kept. complete is false if the provider cut the answer.
func (s *Served) NoteTee(c Call, t *Tee, complete bool) {
	if !complete {
		s.Note(c, 0, nil)
	}
	if complete || t.status != http.StatusOK { // the status alone may decide
		s.Note(c, t.status, t.body.Bytes())
	}
}
