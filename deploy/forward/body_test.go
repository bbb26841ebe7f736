package forward_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/deploy/forward"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
)

// read reads a completion as the kit does.
func read(t *testing.T, text string) *client.Completion {
	t.Helper()
	c := &client.Completion{Raw: []byte(text)}
	if err := json.Unmarshal(c.Raw, &c.Completion); err != nil {
		t.Fatal(err)
	}
	return c
}

const digits = "123456789012345678901234567890.10"

func TestTheBodyIsTheCompletion(t *testing.T) {
	const (
		pay   = `{"id":"p-1","currency":"USD","gross_pay_amount":150050,"x":` + digits + `}`
		other = `{"id":"p-2","currency":"USD","gross_pay_amount":7,"note":"<a> & b"}`
	)
	for promise, test := range map[string]struct {
		stored string
		form   forward.Form
		want   string // with MODEL-1 and MODEL-2 for the models of the records
	}{
		"as stored, byte for byte": {
			" {\"id\":\"c\", \"data\" : {\"records\":[" + pay + "],\"new\":1.50e0}}\n",
			forward.Form{},
			" {\"id\":\"c\", \"data\" : {\"records\":[" + pay + "],\"new\":1.50e0}}\n",
		},
		"normal adds a model for each record, and keeps unknown members": {
			`{"id":"c","new":{"a":"<b>"},"data":{"provider":"pinwheel","resource":"paystubs",` +
				`"records":[` + pay + `,` + other + `],"other":1.50e0},"last":null}`,
			forward.Form{Normal: true},
			`{"id":"c","new":{"a":"<b>"},"data":{"provider":"pinwheel","resource":"paystubs",` +
				`"records":[` + pay + `,` + other + `],"other":1.50e0,` +
				`"normal":[MODEL-1,MODEL-2]},"last":null}`,
		},
		"normal of a record that is no object is null": {
			`{"data":{"provider":"pinwheel","resource":"paystubs","records":[7,` + pay + `]}}`,
			forward.Form{Normal: true},
			`{"data":{"provider":"pinwheel","resource":"paystubs","records":[7,` + pay + `],` +
				`"normal":[null,MODEL-1]}}`,
		},
		"normal without records is an empty list": {
			`{"data":{"provider":"pinwheel","resource":"income","records":[]}}`,
			forward.Form{Normal: true},
			`{"data":{"provider":"pinwheel","resource":"income","records":[],"normal":[]}}`,
		},
		"normal of a resource without a model is absent": {
			`{"data":{"provider":"truv","resource":"link","records":[{"id":"l"}]}}`,
			forward.Form{Normal: true},
			`{"data":{"provider":"truv","resource":"link","records":[{"id":"l"}]}}`,
		},
		"a member with the name normal is replaced": {
			`{"data":{"normal":7,"provider":"pinwheel","resource":"income","records":[]}}`,
			forward.Form{Normal: true},
			`{"data":{"provider":"pinwheel","resource":"income","records":[],"normal":[]}}`,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			var got bytes.Buffer
			err := test.form.Write(t.Context(), &got, read(t, test.stored))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer(
				"MODEL-1", model(t, pay), "MODEL-2", model(t, other),
			).Replace(test.want)
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// model is the text of a paystub of Pinwheel in the normalised model.
func model(t *testing.T, record string) string {
	t.Helper()
	var got bytes.Buffer
	c := read(t, `{"data":{"provider":"pinwheel","resource":"paystubs","records":[`+record+`]}}`)
	if err := (forward.Form{Normal: true}).Write(t.Context(), &got, c); err != nil {
		t.Fatal(err)
	}
	var body struct {
		Data struct{ Normal []json.RawMessage }
	}
	if err := json.Unmarshal(got.Bytes(), &body); err != nil || len(body.Data.Normal) != 1 {
		t.Fatalf("%v in %s", err, &got)
	}
	if !strings.Contains(string(body.Data.Normal[0]), `"kind":"paystub"`) {
		t.Fatalf("%s is no paystub", body.Data.Normal[0])
	}
	return string(body.Data.Normal[0])
}

func TestACompletionWithoutDataHasNoBody(t *testing.T) {
	for promise, text := range map[string]string{
		"data with a capital letter": `{"Data":{"provider":"pinwheel","resource":"income"}}`,
		"data that is empty":         `{"data":{}}`,
	} {
		t.Run(promise, func(t *testing.T) {
			c := read(t, text)
			c.Data.Provider = schema.Pinwheel
			c.Data.Resource = schema.Income
			var got bytes.Buffer
			err := forward.Form{Normal: true}.Write(t.Context(), &got, c)
			if err == nil || got.Len() != 0 {
				t.Errorf("wrote %q, error %v", &got, err)
			}
		})
	}
}

// brokenWriter takes some bytes and then no more.
type brokenWriter struct{ left int }

var errFull = errors.New("no more")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, errFull
	}
	w.left -= len(p)
	return len(p), nil
}

func TestTheFirstErrorOfTheWriterEndsTheBody(t *testing.T) {
	c := read(t, `{"id":"c","data":{"provider":"pinwheel","resource":"paystubs",`+
		`"records":[{"id":"p-1"},{"id":"p-2"}]},"last":1}`)
	form := forward.Form{Normal: true}
	var whole bytes.Buffer
	if err := form.Write(t.Context(), &whole, c); err != nil {
		t.Fatal(err)
	}
	for left := range whole.Len() {
		if err := form.Write(t.Context(), &brokenWriter{left}, c); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes the error is %v", left, err)
		}
	}
}
