package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
)

// person is what the control endpoint says of one.
type person struct {
	AccountID string `json:"account_id"`
	EndUserID string `json:"end_user_id"`
	LinkID    string `json:"link_id"`

	// At Truv. A person need not have an earlier employment.
	ProfileID           string `json:"profile_id"`
	EmploymentID        string `json:"employment_id"`
	EarlierEmploymentID string `json:"earlier_employment_id"`
}

// control tells the fake providers something, or asks them; in and out may be nil.
func (s *script) control(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(s.ctx, method,
		s.stack.Addresses().Providers+"/control/"+path, body)
	if err != nil {
		return err
	}
	status, text, err := s.do(request)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("%s /control/%s: status %d: %s", method, path, status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func (s *script) do(request *http.Request) (status int, body []byte, err error) {
	response, err := s.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// api gets what a provider serves at a path, as a worker would.
func (s *script) api(path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet,
		s.stack.Addresses().Providers+path, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"x-api-secret": fake.Secret(fake.Pinwheel), "Pinwheel-Version": "2025-07-08",
		"X-Access-Client-Id": fake.TruvClientID, "X-Access-Secret": fake.Secret(fake.Truv),
	} {
		request.Header.Set(name, value)
	}
	status, body, err := s.do(request)
	if err == nil && status != 200 {
		err = fmt.Errorf("GET %s: status %d: %s", path, status, body)
	}
	return body, err
}

// person [paystubs=N] [earlier_paystubs=N] [shifts=N] [end_user_id=ID]
func (s *script) makePerson(ts *testscript.TestScript, args arguments) error {
	counts := []string{"paystubs", "earlier_paystubs", "shifts"}
	if err := args.only(append(counts, "end_user_id")...); err != nil {
		return err
	}
	var p person
	if err := s.control(http.MethodPost, "people", object(args, counts...), &p); err != nil {
		return err
	}
	s.person = p
	ts.Setenv("ACCOUNT", p.AccountID)
	ts.Setenv("END_USER", p.EndUserID)
	ts.Setenv("LINK", p.LinkID)
	ts.Setenv("PROFILE", p.ProfileID)
	ts.Setenv("EMPLOYMENT", p.EmploymentID)
	ts.Setenv("EARLIER", p.EarlierEmploymentID)
	if err := s.noteCanaries(); err != nil {
		return err
	}
	return s.control(http.MethodDelete, "calls", nil, nil)
}

// object is the pairs as JSON: the named ones as they are, all others as strings.
func object(args arguments, bare ...string) map[string]any {
	o := map[string]any{}
	for _, key := range args.keys {
		o[key] = args.pairs[key]
		for _, name := range bare {
			if key == name {
				o[key] = json.RawMessage(args.pairs[key])
			}
		}
	}
	return o
}

// play [times=N] [shuffled]
func (s *script) play(ts *testscript.TestScript, args arguments) error {
	in := object(args, "times")
	in["shuffled"] = args.flag("shuffled")
	in["retry"] = true // a busy machine may answer 503
	if err := errors.Join(args.only("times"), noWords(args)); err != nil {
		return err
	}
	var played []fake.Sent
	if err := s.control(http.MethodPost, "people/"+s.person.AccountID+"/play", in,
		&played); err != nil {
		return err
	}
	types := map[string]bool{}
	for _, sent := range played {
		types[sent.Type] = true
		if sent.Status != 200 {
			return fmt.Errorf("%s %s was answered %d", sent.Type, sent.ID, sent.Status)
		}
	}
	fmt.Fprintf(ts.Stdout(), "%d webhooks of %d types\n", len(played), len(types))
	return nil
}

func noWords(args arguments) error {
	if len(args.words) > 0 {
		return fmt.Errorf("unexpected %q", args.words[0])
	}
	return nil
}

// send TYPE [KEY=VALUE ...] [bad_signature] [status=N]
func (s *script) send(ts *testscript.TestScript, args arguments) error {
	badSignature := args.flag("bad_signature")
	refresh := args.flag("refresh")
	err := args.only("id", "provider", "account", "outcome", "error_code", "error_type", "added",
		"deleted", "monitoring_status", "task_status", "product", "object_id", "employment_id",
		"objects_count", "times", "old_timestamp", "status")
	if err != nil || len(args.words) != 1 {
		return errors.Join(err, errors.New("usage: send TYPE [KEY=VALUE ...]"))
	}
	in := object(args, "times", "objects_count")
	delete(in, "status")
	if status, ok := in["task_status"]; ok {
		delete(in, "task_status")
		in["status"] = status
	}
	in["type"] = args.words[0]
	in["bad_signature"] = badSignature
	in["refresh"] = refresh
	in["retry"] = args.pairs["status"] == "" // a busy machine may answer 503
	for _, key := range []string{"added", "deleted"} {
		if list, ok := args.pairs[key]; ok {
			in[key] = strings.Split(list, ",")
		}
	}
	if args.pairs["added"] == "all" {
		resource, _, _ := strings.Cut(args.words[0], ".")
		records, err := s.served(schema.Resource(resource))
		if err != nil {
			return err
		}
		in["added"] = slices.Sorted(maps.Keys(records))
	}
	var out struct {
		fake.Sent
		Answer json.RawMessage `json:"answer"`
	}
	if err := s.control(http.MethodPost, "webhooks", in, &out); err != nil {
		return err
	}
	fmt.Fprintf(ts.Stdout(), "%s %s %s: %d %s\n", out.Provider, out.Type, out.ID, out.Status,
		out.Answer)
	return expectStatus(args, out.Status)
}

func expectStatus(args arguments, got int) error {
	want := args.pairs["status"]
	if want == "" {
		want = "200"
	}
	if strconv.Itoa(got) != want {
		return fmt.Errorf("answered %d, not %s", got, want)
	}
	return nil
}

// raw PROVIDER FILE [status=N] [latin1]
func (s *script) raw(ts *testscript.TestScript, args arguments) error {
	latin1 := args.flag("latin1")
	if err := args.only("status"); err != nil || len(args.words) != 2 {
		return errors.Join(err, errors.New("usage: raw PROVIDER FILE [status=N] [latin1]"))
	}
	p, body := args.words[0], []byte(os.Expand(strings.TrimSuffix(ts.ReadFile(args.words[1]), "\n"),
		ts.Getenv))
	if latin1 {
		var bytes []byte
		for _, character := range string(body) {
			bytes = append(bytes, byte(character))
		}
		body = bytes
	}
	status, answer, err := s.post(p, body)
	if err != nil {
		return err
	}
	fmt.Fprintf(ts.Stdout(), "%d %s\n", status, answer)
	return expectStatus(args, status)
}

// post signs a body as the provider does, and sends the body.
func (s *script) post(p string, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost,
		s.stack.Addresses().Webhooks+"/"+p, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if fake.Covers(p) == nil { // an unknown provider has no signature
		err := fake.Sign(p, request.Header, fake.Secret(p), time.Now(), body)
		if err != nil {
			return 0, nil, err
		}
	}
	return s.do(request)
}

// fault KEY=VALUE ...
func (s *script) fault(_ *testscript.TestScript, args arguments) error {
	if err := noWords(args); err != nil {
		return err
	}
	in := object(args, "times", "every", "status", "cut", "stale", "repeat_cursor")
	if missing, ok := args.pairs["missing"]; ok {
		if in["missing"] = strings.Split(missing, ","); missing == "true" {
			in["missing"] = true
		}
	}
	if in, ok := strings.CutPrefix(args.pairs["retry_after"], "date:"); ok {
		d, err := time.ParseDuration(in)
		if err != nil {
			return err
		}
		args.pairs["retry_after"] = time.Now().Add(d).UTC().Format(http.TimeFormat)
	}
	if after, ok := args.pairs["retry_after"]; ok {
		in["retry_after"] = after
	}
	return s.control(http.MethodPost, "faults", in, nil)
}

// clear
func (s *script) clear(_ *testscript.TestScript, args arguments) error {
	return errors.Join(noWords(args), args.only(), s.control(http.MethodDelete, "faults", nil, nil))
}

// calls PATH N
func (s *script) calls(_ *testscript.TestScript, args arguments) error {
	if len(args.words) != 2 {
		return errors.New("usage: calls PATH N")
	}
	want, err := strconv.Atoi(args.words[1])
	if err != nil {
		return err
	}
	return s.waitFor("so many calls", func(context.Context) (bool, error) {
		var calls fake.Calls
		if err := s.control(http.MethodGet, "calls", nil, &calls); err != nil {
			return false, err
		}
		got := 0
		for label, n := range calls.Calls {
			if strings.HasSuffix(label, args.words[0]) {
				got += n
			}
		}
		if got > want {
			return false, fmt.Errorf("there were %d calls: %v", got, calls.Calls)
		}
		return got == want, nil
	})
}

// served is every record of a resource that Pinwheel has for the newest person, by its id.
func (s *script) served(r schema.Resource) (map[string]json.RawMessage, error) {
	account := "/pinwheel/v1/accounts/" + s.person.AccountID + "/"
	paths := []string{account + string(r)}
	switch r {
	case schema.Paystubs, schema.Shifts, schema.TaxForms:
		return s.servedInPages(account + string(r))
	case schema.BankAccounts:
		paths = []string{account + "direct_deposit_allocations"}
	case schema.VerificationReports:
		of := "/pinwheel/v1/end_users/" + s.person.EndUserID + "/verification_reports/"
		paths = []string{of + "voe", of + "voie"}
	}
	records := servedRecords{}
	for _, path := range paths {
		body, err := s.api(path)
		if err != nil {
			return nil, err
		}
		var envelope struct {
			Data json.RawMessage `json:"data"`
		}
		if err := errors.Join(json.Unmarshal(body, &envelope),
			records.keep(envelope.Data)); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// servedInPages is every record of a list of Pinwheel's, by its id.
func (s *script) servedInPages(list string) (map[string]json.RawMessage, error) {
	records := servedRecords{}
	for cursor := "?limit=100"; cursor != ""; {
		page, err := s.page(list + cursor)
		if err != nil {
			return nil, err
		}
		for _, record := range page.Data {
			if err := records.keep(record); err != nil {
				return nil, err
			}
		}
		cursor = ""
		if page.Meta.NextCursor != "" {
			cursor = "?limit=100&cursor=" + page.Meta.NextCursor
		}
	}
	return records, nil
}

// servedByTruv is every record of a resource that Truv has for the newest person, by its id,
// without the members that never leave the client. A report is the one about income.
func (s *script) servedByTruv(r schema.Resource) (map[string]json.RawMessage, error) {
	records := servedRecords{}
	for _, path := range s.truvPaths(r) {
		more := true
		for number := 1; more; number++ {
			at := path
			if number > 1 {
				at += fmt.Sprintf("&page=%d", number)
			}
			body, err := s.api(at)
			if err != nil {
				return nil, err
			}
			more, err = records.keepTruv(body)
			if err != nil {
				return nil, err
			}
		}
	}
	return records, nil
}

// truvPaths are the paths of a resource at Truv, with the query of the first page of a list.
func (s *script) truvPaths(r schema.Resource) (paths []string) {
	link := "/truv/v1/links/" + s.person.LinkID + "/"
	switch r {
	case schema.Employment, schema.Income:
		return []string{link + "employments/"}
	case schema.Identity:
		return []string{link + "identity/"}
	case schema.Paystubs:
		for _, employment := range []string{s.person.EmploymentID, s.person.EarlierEmploymentID} {
			if employment != "" {
				paths = append(paths, link+"statements/?page_size=100&return_all_statements=true"+
					"&employment_id="+employment)
			}
		}
		return paths
	case schema.Shifts:
		return []string{link + "shifts/?page_size=100"}
	case schema.BankAccounts:
		return []string{link + "bank_accounts/"}
	case schema.VerificationReports:
		return []string{link + "income/report/"}
	default:
		return []string{link}
	}
}

// servedRecords are records by their ids.
type servedRecords map[string]json.RawMessage

func (of servedRecords) keep(record json.RawMessage) error {
	id, err := idOf(record)
	of[id] = record
	return err
}

// keepTruv keeps the records of a page, of a list without pages, or of a single object. It reports
// whether another page follows.
func (of servedRecords) keepTruv(body []byte) (more bool, _ error) {
	for _, secret := range []*regexp.Regexp{accessToken, bankAccounts} {
		body = secret.ReplaceAll(body, nil)
	}
	var page struct {
		Next    *string
		Results []json.RawMessage
	}
	var err error
	if body[0] == '[' {
		err = json.Unmarshal(body, &page.Results)
	} else {
		err = json.Unmarshal(body, &page)
	}
	if err != nil {
		return false, err
	}
	if page.Results == nil { // an object
		page.Results = []json.RawMessage{body}
	}
	for _, record := range page.Results {
		if err := of.keep(record); err != nil {
			return false, err
		}
	}
	return page.Next != nil, nil
}

// servedOf is every record that a completion of the newest person may have.
func (s *script) servedOf(c completion) (map[string]json.RawMessage, error) {
	if c.Data.Provider == schema.Truv {
		return s.servedByTruv(c.Data.Resource)
	}
	return s.served(c.Data.Resource)
}

// bankAccounts is the member of a report that has account numbers.
var bankAccounts = regexp.MustCompile(`"bank_accounts":\[[^\]]*\],`)

var accessToken = regexp.MustCompile(`"access_token":"([^"]*)",`)

type page struct {
	Data []json.RawMessage `json:"data"`
	Meta struct {
		NextCursor string `json:"next_cursor"`
	} `json:"meta"`
}

func (s *script) page(path string) (p page, err error) {
	body, err := s.api(path)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(body, &p)
}

// idOf returns the id of a record, or the number of a bank account of Truv's, which has no id.
func idOf(record json.RawMessage) (string, error) {
	var has struct {
		ID      string `json:"id"`
		Account string `json:"account_number"`
	}
	err := json.Unmarshal(record, &has)
	return cmp.Or(has.ID, has.Account), err
}

// noteCanaries remembers texts of the newest person that occur nowhere else, as the APIs serve
// them.
func (s *script) noteCanaries() error {
	var of struct {
		FullName string   `json:"full_name"`
		SSN      string   `json:"ssn_on_file"`
		Emails   []string `json:"emails"`
		Address  struct {
			Line1 string `json:"line1"`
		} `json:"address"`
		Phones []struct {
			Value string `json:"value"`
		} `json:"phone_numbers"`
	}
	identity, err := s.served(schema.Identity)
	if err != nil {
		return err
	}
	for _, record := range identity {
		if err := json.Unmarshal(record, &of); err != nil {
			return err
		}
	}
	link, err := s.api("/truv/v1/links/" + s.person.LinkID + "/")
	if err != nil {
		return err
	}
	token := accessToken.FindSubmatch(link)
	names := strings.Fields(of.FullName)
	if token == nil || len(of.Emails) == 0 || len(of.Phones) == 0 || len(names) == 0 {
		return errors.New("the fakes' identity or link has not what it is searched for")
	}
	canaries := []string{names[len(names)-1], of.SSN, of.Emails[0], of.Address.Line1,
		of.Phones[0].Value, string(token[1])}
	paystubs, err := s.served(schema.Paystubs)
	if err != nil {
		return err
	}
	for _, record := range paystubs {
		var pay struct {
			GrossYTD json.Number `json:"gross_pay_ytd"`
		}
		if err := json.Unmarshal(record, &pay); err != nil {
			return err
		}
		canaries = append(canaries, pay.GrossYTD.String())
	}
	for _, canary := range canaries {
		if len(canary) < 8 {
			return fmt.Errorf("%q is too short to be looked for", canary)
		}
	}
	accounts, err := s.servedByTruv(schema.BankAccounts)
	if err != nil {
		return err
	}
	s.canaries = append(s.canaries, strings.ReplaceAll(of.SSN, "-", "")) // as Truv spells it
	s.canaries = slices.AppendSeq(s.canaries, maps.Keys(accounts))
	s.canaries = append(s.canaries, canaries...)
	return nil
}
