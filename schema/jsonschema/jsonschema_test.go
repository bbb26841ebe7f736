package jsonschema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/jsonschema"
	"github.com/wagewire/wagewire/schema/jsonschema/jsonschematest"
)

var update = flag.Bool("update", false, "write the generated parts of the schemas")

// typesWithWorkers returns the webhook types with a worker. Each has a schema and a sample.
func typesWithWorkers() []schema.WebhookType {
	return slices.DeleteFunc(schema.Catalogue(), func(w schema.WebhookType) bool {
		return len(w.Workers) == 0
	})
}

// parentOf returns the path of the object with the member at path, "" for the body itself.
func parentOf(path string) string {
	return path[:max(0, strings.LastIndex(path, "."))]
}

func TestTypesWithWorkersAndNoOthersHaveASchemaAndASample(t *testing.T) {
	want := []string{"account.v1.json", "completion.v1.json", "normal.v1.json"}
	for _, w := range typesWithWorkers() {
		want = append(want,
			fmt.Sprintf("%s.%s.json", w.Provider, w.Name),
			fmt.Sprintf("samples/%s/%s.json", w.Provider, w.Name))
	}
	for _, r := range allRecords() {
		want = append(want, r.path(), fmt.Sprintf("records/samples/%s.%s.json", r.provider, r.kind))
	}
	for _, q := range queuesWithRecords() {
		want = append(want, fmt.Sprintf("completions/%s.%s.v1.json", q.Provider, q.Resource))
	}
	slices.Sort(want)
	var got []string
	for _, files := range []fs.FS{jsonschema.FS, jsonschema.Completions} {
		err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				got = append(got, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("embedded files (-want +got):\n%s", diff)
	}
}

func TestATypeWithoutWorkerHasNeitherSchemaNorSample(t *testing.T) {
	for _, name := range []string{
		"bill.added", "payroll.exploded", "", "../samples/pinwheel/income.added",
		"/etc/passwd",
	} {
		if text, ok := jsonschema.Webhook(schema.Pinwheel, name); ok {
			t.Errorf("Webhook(pinwheel, %q) is %.40q, want none", name, text)
		}
		if text, ok := jsonschema.Sample(schema.Pinwheel, name); ok {
			t.Errorf("Sample(pinwheel, %q) is %.40q, want none", name, text)
		}
	}
}

func TestASchemaIsNamedByItsURN(t *testing.T) {
	ids := map[string]string{
		schema.CompletionSchema: string(jsonschema.Completion()),
		schema.AccountSchema:    string(jsonschema.Account()),

		"urn:wagewire:schema:normal:v1": string(jsonschema.Normal()),
	}
	for _, w := range typesWithWorkers() {
		text, _ := jsonschema.Webhook(w.Provider, w.Name)
		id := fmt.Sprintf("urn:wagewire:schema:webhook:%s:%s", w.Provider, w.Name)
		ids[id] = string(text)
	}
	for _, r := range allRecords() {
		text, _ := jsonschema.Record(r.provider, r.kind)
		ids[fmt.Sprintf("urn:wagewire:schema:record:%s:%s", r.provider, r.kind)] = string(text)
	}
	for _, q := range queuesWithRecords() {
		text, _ := jsonschema.CompletionOf(q.Provider, q.Resource)
		ids[schema.CompletionSchema+":"+string(q.Provider)+":"+string(q.Resource)] = string(text)
	}
	for want, text := range ids {
		var got struct {
			Schema string `json:"$schema"`
			ID     string `json:"$id"`
			Title  string
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		const dialect = "https://json-schema.org/draft/2020-12/schema"
		if got.ID != want || got.Schema != dialect || got.Title == "" {
			t.Errorf("schema %s has $id %q, $schema %q, title %q",
				want, got.ID, got.Schema, got.Title)
		}
	}
}

func TestASampleIsWhatTheCatalogueSays(t *testing.T) {
	seen := map[string]string{}
	for _, w := range typesWithWorkers() {
		t.Run(w.Name, func(t *testing.T) {
			sample, _ := jsonschema.Sample(w.Provider, w.Name)
			jsonschematest.Webhook(t, w.Provider, w.Name, sample)
			body := object(t, sample)
			layout := w.Provider.Layout()
			if got := valueAt(body, layout.Type); got != w.Name {
				t.Errorf("%s is %v, want %s", layout.Type, got, w.Name)
			}
			if account, _ := valueAt(body, w.Account).(string); account == "" {
				t.Errorf("%s, the account's id, is %v", w.Account, valueAt(body, w.Account))
			}
			id, _ := valueAt(body, layout.ID).(string)
			if other, taken := seen[id]; taken || id == "" {
				t.Errorf("%s is %q; it must not be empty or the id of sample %q",
					layout.ID, id, other)
			}
			seen[id] = w.Name
			for _, path := range layout.Times {
				if stamp, ok := valueAt(body, path).(string); ok {
					if _, err := schema.ParseTime(stamp); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// change sets the value at a path of a body. The value removed{} removes the member.
type change struct {
	path  string
	value any
}

type removed struct{}

func TestAWebhookWithoutARequiredFieldBreaksItsSchema(t *testing.T) {
	values := map[string]any{
		"missing": removed{}, "null": nil, "a number": 17, "empty": "", "a list": []any{"x"},
	}
	for _, w := range typesWithWorkers() {
		layout := w.Provider.Layout()
		required := []string{layout.ID, layout.Type, w.Account}
		if parent := parentOf(w.Account); parent != "" {
			required = append(required, parent)
		}
		// The payload of this type is not documented.
		isUndocumented := w.Name == "earnings_stream.payouts.refreshed"
		isOfJob := w.Account == "payload.account_id" && !slices.Contains(w.Workers, schema.Link)
		if isOfJob && !isUndocumented {
			required = append(required, "payload.outcome")
		}
		for _, path := range required {
			for what, value := range values {
				t.Run(fmt.Sprintf("%s with %s %s", w.Name, path, what), func(t *testing.T) {
					wantRefused(t, w, change{path, value})
				})
			}
		}
	}
}

func TestAWebhookOfAnotherTypeBreaksTheSchema(t *testing.T) {
	for _, w := range typesWithWorkers() {
		wantRefused(t, w, change{w.Provider.Layout().Type, w.Name + "x"})
	}
}

func TestAWebhookBreaksItsSchemaWhere(t *testing.T) {
	pinwheel := func(name string) schema.WebhookType { return schema.Lookup(schema.Pinwheel, name) }
	truv := func(name string) schema.WebhookType { return schema.Lookup(schema.Truv, name) }
	for promise, test := range map[string]struct {
		of schema.WebhookType
		change
	}{
		"added holds ids instead of objects": {
			pinwheel("paystubs.added"), change{"payload.added", []any{"one"}},
		},
		"added holds an object without an id": {
			pinwheel("paystubs.added"), change{"payload.added", []any{map[string]any{"year": nil}}},
		},
		"added holds an object with a number": {
			pinwheel("shifts.added"), change{"payload.added", []any{map[string]any{"id": 1}}},
		},
		"an added tax form has no id": {
			pinwheel("tax_forms.added"), change{"payload.added", []any{map[string]any{"year": 2025}}},
		},
		"deleted is an object": {
			pinwheel("shifts.added"), change{"payload.deleted", map[string]any{}},
		},
		"params is a list": {
			pinwheel("employment.added"), change{"payload.params", []any{}},
		},
		"count is a fraction": {
			pinwheel("shifts.fully_synced"), change{"payload.params.count", 1.5},
		},
		"a pay date is a number": {
			pinwheel("paystubs.fully_synced"), change{"payload.params.from_pay_date", 20260101},
		},
		"documents may come is a word": {
			pinwheel("paystubs.seven_days_synced"),
			change{"payload.params.has_potential_paystubs_documents", "True"},
		},
		"availability is a word": {
			pinwheel("verification_reports.refreshed"), change{"payload.availability", "available"},
		},
		"the availability of a report is a word": {
			pinwheel("verification_reports.refreshed"),
			change{"payload.availability.voe", "available"},
		},
		"the timestamp is a number": {
			pinwheel("income.added"), change{"payload.timestamp", 1770000000},
		},
		"a link's product is a list": {
			truv("link-connected"), change{"product", []any{"income"}},
		},
		"a task has no status":  {truv("task-status-updated"), change{"status", nil}},
		"a status is a number":  {truv("task-status-updated"), change{"status", 7}},
		"a count is text":       {truv("statements-created"), change{"objects_count", "24"}},
		"a count is a fraction": {truv("shifts-updated"), change{"objects_count", 1.5}},
		"an object's id is a number": {
			truv("employment-created"), change{"object_id", 17},
		},
		"an employment's id is a number": {
			truv("bank-accounts-created"), change{"employment_id", 17},
		},
	} {
		t.Run(promise, func(t *testing.T) { wantRefused(t, test.of, test.change) })
	}
}

func TestAWebhookKeepsItsSchemaWhateverTheProviderAdds(t *testing.T) {
	optional := map[string][]string{
		"payload.account_id": {
			"payload.end_user_id", "payload.error_code", "payload.error_type", "payload.params",
			"payload.timestamp", "payload.name", "payload.link_token_id", "payload.id",
			"payload.added", "payload.deleted",
		},
		"payload.end_user_id": {"payload.availability"},
		"link_id": {
			"event_created_at", "updated_at", "product", "data_source", "tracking_info", "user_id",
			"template_id", "task_id", "object_id", "employment_id", "objects_count",
		},
	}
	for _, w := range typesWithWorkers() {
		changes := []change{{"added_in_2031", map[string]any{"deep": []any{1}}}}
		if parent := parentOf(w.Account); parent != "" {
			changes = append(changes, change{parent + ".added_in_2031", []any{1}})
		}
		for _, path := range optional[w.Account] {
			changes = append(changes, change{path, nil}, change{path, removed{}})
		}
		if w.Account == "payload.account_id" {
			changes = append(changes,
				change{"payload.outcome", "postponed"},
				change{"payload.error_type", "brandNewError"},
				change{"payload.params", map[string]any{}},
				change{"payload.params", map[string]any{"added_in_2031": true}})
		}
		for _, c := range changes {
			t.Run(fmt.Sprintf("%s with %s %v", w.Name, c.path, c.value), func(t *testing.T) {
				jsonschematest.Webhook(t, w.Provider, w.Name, changed(t, sample(w), c))
			})
		}
	}
}

// wantRefused fails the test if the schema of w takes the type's sample with the change.
func wantRefused(t *testing.T, w schema.WebhookType, c change) {
	t.Helper()
	rules, _ := jsonschema.Webhook(w.Provider, w.Name)
	body := changed(t, sample(w), c)
	if jsonschematest.Check(rules, body) == nil {
		t.Errorf("the schema of %s takes %s", w.Name, body)
	}
}

func TestACompletionKeepsItsSchemaWith(t *testing.T) {
	for promise, changes := range map[string][]change{
		"records":    {},
		"no records": {{"data.records", []any{}}},
		"the id of a redrive": {
			{"id", "pinwheel:e-1:r12:income"}, {"data.redrive", 12},
			{"sequence", aTime + "/" + aTime + "/pinwheel:e-1:r12:income"},
		},
		"a window": {
			{"data.scope", "window"}, {"data.from", "2026-02-01"}, {"data.to", "2026-02-08"},
		},
		"a window without an end":       {{"data.scope", "window"}, {"data.from", "2026-02-01"}},
		"the resources of the platform": {{"data.supported", []any{"income", "shifts"}}},
		"the ids of Truv's webhooks": {
			{"data.object_id", "o-1"}, {"data.employment_id", "m-1"},
		},
		"a link that broke": {
			{"type", "wagewire.income.disconnected.v1"}, {"data.outcome", "disconnected"},
		},
		"records elsewhere": {
			{"data.records", removed{}}, {"data.records_ref", recordsRef()},
		},
		"neither account nor person": {{"data.account_id", nil}, {"data.end_user_id", nil}},
		"a time of refresh":          {{"data.refreshed_at", "2026-02-03T15:20:00.25Z"}},
		"ids deleted and missing": {
			{"data.deleted", []any{"x"}}, {"data.missing", []any{"y", "z"}},
		},
		"an error of the provider's job": {
			{"type", "wagewire.income.failed.v1"}, {"data.outcome", "failed"},
			{"data.error", failure("provider")}, {"data.scope", nil},
		},
		"an error if the data is only unavailable": {
			{"type", "wagewire.income.unavailable.v1"}, {"data.outcome", "unavailable"},
			{"data.error", failure("not_ready")}, {"data.scope", nil},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			jsonschematest.Completion(t, changed(t, completion(t), changes...))
		})
	}
}

func TestEveryClassOfErrorIsInTheCompletionsSchema(t *testing.T) {
	for _, class := range []schema.Class{
		schema.ClassTransient, schema.ClassNotReady, schema.ClassThrottled,
		schema.ClassUnauthorized, schema.ClassForbidden, schema.ClassPermanent,
		schema.ClassContract, schema.ClassPoison, schema.ClassProvider, schema.ClassExhausted,
	} {
		doc := changed(t, completion(t), change{"data.error", failure(string(class))})
		jsonschematest.Completion(t, doc)
	}
}

func TestACompletionBreaksItsSchemaWith(t *testing.T) {
	rows := map[string][]change{
		"another outcome":                {{"data.outcome", "done"}},
		"another outcome in its type":    {{"type", "wagewire.income.done.v1"}},
		"a type without version":         {{"type", "wagewire.income.succeeded"}},
		"a type of somebody else":        {{"type", "payroll.income.succeeded.v1"}},
		"another schema":                 {{"dataschema", "urn:wagewire:schema:completion:v2"}},
		"another version of CloudEvents": {{"specversion", "0.3"}},
		"an id with a raw event id":      {{"id", "pinwheel:a.b>*:income"}},
		"an id with redrive 0":           {{"id", "pinwheel:e-1:r0:income"}},
		"a subject of two tokens":        {{"subject", "a.b"}},
		"a time that is none":            {{"time", "yesterday"}},
		"a time of refresh that is none": {{"data.refreshed_at", "soon"}},
		"an empty account id":            {{"data.account_id", ""}},
		"an account id that is a number": {{"data.account_id", 7}},
		"no attempt":                     {{"data.attempts", 0}},
		"records and their place":        {{"data.records_ref", recordsRef()}},
		"neither records nor a place":    {{"data.records", removed{}}},
		"records that are null":          {{"data.records", nil}},
		"a record that is no object":     {{"data.records", []any{"x"}}},
		"a place without sum": {
			{"data.records", removed{}}, {"data.records_ref", recordsRef()},
			{"data.records_ref.sha256", removed{}},
		},
		"a place with another sum": {
			{"data.records", removed{}}, {"data.records_ref", recordsRef()},
			{"data.records_ref.sha256", "ab"},
		},
		"deleted ids that are null":    {{"data.deleted", nil}},
		"missing ids that are objects": {{"data.missing", []any{map[string]any{"id": "x"}}}},
		"stale that is a word":         {{"data.stale", "no"}},
		"failed without error": {
			{"type", "wagewire.income.failed.v1"}, {"data.outcome", "failed"},
		},
		"an error without class": {
			{"data.error", failure("provider")}, {"data.error.class", removed{}},
		},
		"an error of an unknown class":  {{"data.error", failure("cosmic")}},
		"another scope":                 {{"data.scope", "all"}},
		"a date that is none":           {{"data.scope", "window"}, {"data.from", "soon"}},
		"a sequence of other times":     {{"sequence", "2026/2026/pinwheel:e-1:income"}},
		"a redrive below 0":             {{"data.redrive", -1}},
		"an empty object id":            {{"data.object_id", ""}},
		"an employment id that is none": {{"data.employment_id", nil}},
		// No rule of the schema forbids the following, but a program that emits them has a bug.
		"a field that is not ours":       {{"data.recrods", []any{}}},
		"an attribute that is not ours":  {{"colour", "red"}},
		"another event's id":             {{"id", "pinwheel:other:income"}},
		"another event's sequence":       {{"sequence", aTime + "/" + aTime + "/other"}},
		"another redrive than its id":    {{"data.redrive", 1}},
		"records without a scope":        {{"data.scope", nil}},
		"dates without a window":         {{"data.from", "2026-02-01"}},
		"another resource's source":      {{"source", "urn:wagewire:worker:shifts"}},
		"another outcome than its type":  {{"data.outcome", "pending"}},
		"another resource than its type": {{"data.resource", "shifts"}},
	}
	// Completions of earlier releases lack these.
	optional := []string{"sequence", "data.redrive", "data.scope", "data.from", "data.to"}
	for path, value := range leaves("", object(t, completion(t))) {
		if !strings.HasPrefix(path, "data.records") && !slices.Contains(optional, path) {
			rows["no "+path] = []change{{path, removed{}}}
		}
		if value != nil && path != "data.account_id" && path != "data.end_user_id" {
			rows["a null for "+path] = []change{{path, nil}}
		}
	}
	for promise, changes := range rows {
		t.Run(promise, func(t *testing.T) {
			doc := changed(t, completion(t), changes...)
			if jsonschematest.CheckCompletion(doc) == nil {
				t.Errorf("the schema takes %s", doc)
			}
		})
	}
}

// aTime is a time as it stands in a sequence.
const aTime = "2026-02-03T15:20:00.000000000Z"

func completion(t *testing.T) []byte {
	t.Helper()
	at := time.Date(2026, 2, 3, 15, 20, 0, 0, time.UTC)
	e := schema.Event{
		Provider: schema.Pinwheel, ID: "e-1", Type: "income.added", Resource: schema.Income,
		Action: "added", AccountID: "a-1", OccurredAt: at, ReceivedAt: at,
	}
	c := schema.NewCompletion(e, schema.Income, schema.Succeeded, at)
	c.Data.AccountID = &e.AccountID
	c.Data.EndUserID = new("u-1")
	c.Data.Attempts = 1
	c.Data.Scope = new(schema.Snapshot)
	c.Data.Records = []json.RawMessage{json.RawMessage(`{"compensation_amount":7350.10}`)}
	doc, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func recordsRef() map[string]any {
	return map[string]any{
		"bucket": schema.RecordsBucket, "name": "pinwheel/a-1/income/e-1",
		"sha256": strings.Repeat("0f", 32), "bytes": 700_000, "count": 12,
	}
}

func failure(class string) map[string]any {
	return map[string]any{
		"class": class, "code": "accountLocked", "type": "userActionRequired",
		"message": "the provider's job failed",
	}
}

// A provider's schemas copy their "$defs" from shared/<provider>.json, and those of its records
// from shared/records.<provider>.json.
func TestASchemasDefinitionsEqualTheSharedOnes(t *testing.T) {
	shared := map[string]string{} // by the schema's path
	for _, w := range typesWithWorkers() {
		shared[fmt.Sprintf("%s.%s.json", w.Provider, w.Name)] = string(w.Provider)
	}
	for _, r := range allRecords() {
		shared[r.path()] = "records." + string(r.provider)
	}
	for path, name := range shared {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		current(t, path, withShared(t, "shared/"+name+".json", got))
	}
}

// current fails the test if the file differs from the generated text. With -update it writes the
// file.
func current(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run: go test ./jsonschema -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what it is generated from; run: go test ./jsonschema -update\n"+
			"(-want +got):\n%s", path, diff)
	}
}

var reference = regexp.MustCompile(`"#/\$defs/([a-z_]+)"`)

// withShared replaces "$defs" at the end of the text with the definitions of the shared file that
// the text uses.
func withShared(t *testing.T, file string, text []byte) []byte {
	t.Helper()
	const last = "\n  \"$defs\": {"
	own, _, ok := bytes.Cut(text, []byte(last))
	if !ok {
		t.Fatalf(`there is no "$defs" in %s`, text)
	}
	shared, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var parts struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(shared, &parts); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	used := map[string]string{}
	for more := [][]byte{own}; len(more) > 0; more = more[1:] {
		for _, ref := range reference.FindAllSubmatch(more[0], -1) {
			name := string(ref[1])
			if parts.Defs[name] == nil {
				t.Fatalf("%s has no %s", file, name)
			}
			if _, done := used[name]; !done {
				used[name] = fmt.Sprintf("\n    %q: %s", name, parts.Defs[name])
				more = append(more, parts.Defs[name])
			}
		}
	}
	var defs []string
	for _, name := range slices.Sorted(maps.Keys(used)) {
		defs = append(defs, used[name])
	}
	return slices.Concat(own, []byte(last+strings.Join(defs, ",")+"\n  }\n}\n"))
}

func sample(w schema.WebhookType) []byte {
	text, _ := jsonschema.Sample(w.Provider, w.Name)
	return text
}

func object(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatalf("%v\nin %s", err, text)
	}
	return o
}

// valueAt returns the value at a path of an object, or nil.
func valueAt(o map[string]any, path string) any {
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return o[first]
	}
	inner, _ := o[first].(map[string]any)
	return valueAt(inner, rest)
}

func changed(t *testing.T, doc []byte, changes ...change) []byte {
	t.Helper()
	body := object(t, doc)
	for _, c := range changes {
		o := body
		path := strings.Split(c.path, ".")
		for _, name := range path[:len(path)-1] {
			o = o[name].(map[string]any)
		}
		name := path[len(path)-1]
		if _, gone := c.value.(removed); gone {
			delete(o, name)
		} else {
			o[name] = c.value
		}
	}
	out, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// leaves returns every field of o, at any depth, by its path.
func leaves(prefix string, o map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range o {
		all[prefix+name] = value
		if inner, ok := value.(map[string]any); ok {
			maps.Copy(all, leaves(prefix+name+".", inner))
		}
	}
	return all
}
