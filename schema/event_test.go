package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema"
)

func TestAnEventIsValidWith(t *testing.T) {
	for promise, change := range map[string]func(*schema.Event){
		"everything":     func(*schema.Event) {},
		"no account":     func(e *schema.Event) { e.AccountID = "" },
		"an odd id":      func(e *schema.Event) { e.ID = "a.b > \r\n*" },
		"the longest id": func(e *schema.Event) { e.ID = strings.Repeat("x", schema.IDBytesMax) },
		"the longest type": func(e *schema.Event) {
			setUnknownType(e, strings.Repeat("x", schema.TypeBytesMax))
		},
		"an unknown type": func(e *schema.Event) { setUnknownType(e, "payroll.exploded") },
		"a trace": func(e *schema.Event) {
			e.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		},
	} {
		t.Run(promise, func(t *testing.T) {
			e := employmentAdded()
			change(&e)
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// setUnknownType gives the event a type without a row in the catalogue.
func setUnknownType(e *schema.Event, name string) {
	e.Type = name
	e.Resource = schema.Other
	e.Action = schema.Token(name)
}

func TestAnEventIsNotValidWith(t *testing.T) {
	for promise, test := range map[string]struct {
		change func(*schema.Event)
		says   string
	}{
		"no provider": {
			func(e *schema.Event) { e.Provider = "" }, `provider "" is not known`,
		},
		"an unknown provider": {
			func(e *schema.Event) { e.Provider = "argyle" }, `provider "argyle" is not known`,
		},
		"no id": {func(e *schema.Event) { e.ID = "" }, "the id is empty"},
		"an id without end": {
			func(e *schema.Event) { e.ID = strings.Repeat("x", schema.IDBytesMax+1) },
			"the id has more than 16384 bytes",
		},
		"no type": {func(e *schema.Event) { e.Type = "" }, "the type is empty"},
		"a type without end": {
			func(e *schema.Event) { setUnknownType(e, strings.Repeat("x", schema.TypeBytesMax+1)) },
			"the type has more than 256 bytes",
		},
		"an account without end": {
			func(e *schema.Event) { e.AccountID = strings.Repeat("x", schema.IDBytesMax+1) },
			"the account id has more than 16384 bytes",
		},
		"another type's resource": {
			func(e *schema.Event) { e.Resource = schema.Income },
			"income.added is not the catalogue's",
		},
		"another type's action": {
			func(e *schema.Event) { e.Action = "refreshed" },
			"employment.refreshed is not the catalogue's",
		},
		"a wildcard for its resource": {
			func(e *schema.Event) { e.Resource = "*" }, "*.added is not the catalogue's",
		},
		"another provider's type": {
			func(e *schema.Event) { e.Provider = schema.Truv },
			"employment.added is not the catalogue's",
		},
		"no time of receipt": {
			func(e *schema.Event) { e.ReceivedAt = time.Time{} }, "the time of receipt is missing",
		},
		"no time": {
			func(e *schema.Event) { e.OccurredAt = time.Time{} },
			"the time of the event is missing",
		},
		"no body": {
			func(e *schema.Event) { e.Body = nil }, "the body is empty",
		},
		"nothing": {
			func(e *schema.Event) { *e = schema.Event{} }, "is not known",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			e := employmentAdded()
			test.change(&e)
			err := e.Validate()
			if !errors.Is(err, schema.ErrInvalidEvent) ||
				!strings.Contains(err.Error(), test.says) {
				t.Errorf("Validate = %v, want an ErrInvalidEvent that says %q", err, test.says)
			}
		})
	}
}

func TestATimeIsRead(t *testing.T) {
	for promise, test := range map[string]struct{ text, want string }{
		"as Truv writes it, with Z": {
			"2026-02-03T15:18:40.000000Z", "2026-02-03T15:18:40Z",
		},
		"as Truv writes it, with an offset": {
			"2026-02-03T15:18:40.000031+00:00", "2026-02-03T15:18:40.000031Z",
		},
		"as Pinwheel writes it": {
			"2021-01-12T02:36:01.287148+00:00", "2021-01-12T02:36:01.287148Z",
		},
		"without a fraction": {
			"2021-01-21T20:16:28+00:00", "2021-01-21T20:16:28Z",
		},
		"with a space for the T": {
			"2021-01-29 22:06:06.920124+00:00", "2021-01-29T22:06:06.920124Z",
		},
		"with a space for the T, and Z": {"2021-01-29 22:06:06Z", "2021-01-29T22:06:06Z"},
		"with an offset of its own": {
			"2026-02-03T10:18:40-05:00", "2026-02-03T15:18:40Z",
		},
		"with nanoseconds": {
			"2026-02-03T15:18:40.123456789Z", "2026-02-03T15:18:40.123456789Z",
		},
		"from the first moment that is one":   {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		"to the last moment that can be said": {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
		"on a leap day, over the date line": {
			"2028-03-01T09:00:00+10:00", "2028-02-29T23:00:00Z",
		},
		"with an offset that changes the year": {
			"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			got, err := schema.ParseTime(test.text)
			if err != nil || got.UTC().Format(time.RFC3339Nano) != test.want {
				t.Errorf("ParseTime(%q) = %v, %v; want %s", test.text, got, err, test.want)
			}
		})
	}
}

func TestATimeIsNotGuessed(t *testing.T) {
	for _, text := range []string{
		"", " ", "now", "1770000000", "2026-02-03", "2026-02-03T15:18:40", "2026-02-30T15:18:40Z",
		"2026-02-03T25:00:00Z",
		"2026-02-03T15:18:40+0000", "2026-02-03 15:18:40 +00:00", "2026-02-03T15:18:40Z ",
		"\r\n2026-02-03T15:18:40Z", "02/03/2026",
		// A zero value, and years that time.Time cannot write as JSON in UTC.
		"0001-01-01T00:00:00Z", "0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
	} {
		if got, err := schema.ParseTime(text); err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", text, got)
		}
	}
}

func TestASecretNeverPrints(t *testing.T) {
	const plain = "correct-horse-battery"
	secret := schema.NewSecret(plain)
	type config struct {
		URL    string
		Secret schema.Secret
		Others []schema.Secret
		Named  map[string]schema.Secret
		Maybe  *schema.Secret
	}
	in := config{
		URL: "https://example.com", Secret: secret, Others: []schema.Secret{secret},
		Named: map[string]schema.Secret{"a": secret}, Maybe: &secret,
	}
	shown := map[string]string{}
	verbs := strings.Fields("%v %+v %#v %s %q %x %X %d %t %c %U %10.3s")
	for _, verb := range verbs {
		shown["fmt "+verb] = fmt.Sprintf(verb, secret)
		shown["fmt, in a struct, "+verb] = fmt.Sprintf(verb, in)
		shown["fmt, in a pointer to a struct, "+verb] = fmt.Sprintf(verb, &in)
	}
	shown["fmt.Sprint"] = fmt.Sprint(secret, in)
	shown["an error"] = fmt.Errorf("sign with %v: %w", in, errors.New("no")).Error()
	asJSON, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	shown["json"] = string(asJSON)
	for name, encoder := range map[string]zapcore.Encoder{
		"zap, json":    zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		"zap, console": zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
	} {
		line, err := encoder.EncodeEntry(zapcore.Entry{Message: "started"}, []zap.Field{
			zap.Any("any", secret), zap.Stringer("stringer", secret), zap.Reflect("reflect", in),
			zap.Any("config", in), zap.Any("list", in.Others),
		})
		if err != nil {
			t.Fatal(err)
		}
		shown[name] = line.String()
	}
	for how, text := range shown {
		inHex := fmt.Sprintf("%x", plain)
		if strings.Contains(text, plain[:7]) || strings.Contains(text, inHex) {
			t.Errorf("%s shows %s", how, text)
		}
	}
	if secret.Reveal() != plain {
		t.Errorf("Reveal = %q, want the secret itself", secret.Reveal())
	}
}
