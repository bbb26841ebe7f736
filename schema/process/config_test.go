package process_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema/process"
)

// environment returns a getenv with the given variables.
func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// colour is a type with a parser of its own.
type colour string

func (c *colour) UnmarshalText(text []byte) error {
	if string(text) != "red" && string(text) != "blue" {
		return errors.New("only red and blue are colours")
	}
	*c = colour(text)
	return nil
}

// apiConfig has a field of every kind that the processes use.
type apiConfig struct {
	URL     string          `env:"URL" envDefault:"http://127.0.0.1" help:"address of the API"`
	Token   string          `env:"TOKEN" help:"the token (none)"`
	Timeout time.Duration   `env:"TIMEOUT" envDefault:"20s" help:"time limit of a call"`
	Pauses  []time.Duration `env:"PAUSES" envDefault:"1s,2m" help:"pauses between calls"`
	Calls   int             `env:"CALLS" envDefault:"16" help:"calls at a time"`
	Bytes   int64           `env:"BYTES" help:"limit of a body"`
	Port    uint16          `env:"PORT" help:"port"`
	Rate    float64         `env:"RATE" envDefault:"2.5" help:"calls a second"`
	Verbose bool            `env:"VERBOSE" help:"more words"`
	Colour  colour          `env:"COLOUR" envDefault:"red" help:"red or blue"`
	Ignored string
}

// config nests apiConfig twice, with different prefixes.
type config struct {
	Name  string `env:"NAME" help:"name of the process"`
	Left  apiConfig
	Right apiConfig `envPrefix:"RIGHT_"`
}

func defaults() apiConfig {
	return apiConfig{
		URL: "http://127.0.0.1", Timeout: 20 * time.Second,
		Pauses: []time.Duration{time.Second, 2 * time.Minute}, Calls: 16, Rate: 2.5, Colour: "red",
	}
}

func TestAConfigurationIsReadFromVariables(t *testing.T) {
	for promise, test := range map[string]struct {
		variables map[string]string
		change    func(*config)
	}{
		"defaults without variables": {nil, func(*config) {}},
		"defaults for empty variables": {
			map[string]string{"URL": "", "CALLS": ""}, func(*config) {},
		},
		"a text": {
			map[string]string{"TOKEN": "a b"}, func(c *config) { c.Left.Token = "a b" },
		},
		"a duration": {
			map[string]string{"TIMEOUT": "1h30m"},
			func(c *config) { c.Left.Timeout = 90 * time.Minute },
		},
		"a list of durations": {
			map[string]string{"PAUSES": "5s"},
			func(c *config) { c.Left.Pauses = []time.Duration{5 * time.Second} },
		},
		"a whole number": {
			map[string]string{"CALLS": "3"}, func(c *config) { c.Left.Calls = 3 },
		},
		"a fraction": {
			map[string]string{"RATE": "0.25"}, func(c *config) { c.Left.Rate = 0.25 },
		},
		"a truth": {
			map[string]string{"VERBOSE": "true"}, func(c *config) { c.Left.Verbose = true },
		},
		"a type with its own parser": {
			map[string]string{"COLOUR": "blue"}, func(c *config) { c.Left.Colour = "blue" },
		},
		"a nested struct with a prefix": {
			map[string]string{"RIGHT_CALLS": "4"}, func(c *config) { c.Right.Calls = 4 },
		},
		"fields beside a nested struct": {
			map[string]string{"NAME": "left"}, func(c *config) { c.Name = "left" },
		},
		"nothing else than its variables": {
			map[string]string{"Ignored": "x", "IGNORED": "x"}, func(*config) {},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			want := config{Left: defaults(), Right: defaults()}
			test.change(&want)
			var got config
			if err := process.ReadConfig(environment(test.variables), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ReadConfig (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAConfigurationIsNotReadFromTheProcesssOwnEnvironment(t *testing.T) {
	t.Setenv("URL", "http://elsewhere")
	var got apiConfig
	if err := process.ReadConfig(environment(nil), &got); err != nil {
		t.Fatal(err)
	}
	if got.URL != defaults().URL {
		t.Errorf("URL = %s, want %s", got.URL, defaults().URL)
	}
}

func TestAnErrorNamesTheVariableAndItsValue(t *testing.T) {
	for name, test := range map[string]struct{ value, want string }{
		"TIMEOUT": {"20", `TIMEOUT: "20" is not a duration such as 20m`},
		"PAUSES": {
			"1s,soon", `PAUSES: unable to parse duration: time: invalid duration "soon"`,
		},
		"CALLS":        {"1.5", `CALLS: "1.5" is not a whole number`},
		"PORT":         {"-1", `PORT: "-1" is not a whole number of 0 or more`},
		"BYTES":        {"9223372036854775808", `BYTES: "9223372036854775808" is out of range`},
		"RATE":         {"fast", `RATE: "fast" is not a number`},
		"VERBOSE":      {"very", `VERBOSE: "very" is neither true nor false: write 1 or 0`},
		"COLOUR":       {"green", `COLOUR: only red and blue are colours`},
		"RIGHT_CALLS":  {"many", `RIGHT_CALLS: "many" is not a number`},
		"RIGHT_COLOUR": {"green", `RIGHT_COLOUR: only red and blue are colours`},
	} {
		t.Run(name, func(t *testing.T) {
			got := config{Name: "before"}
			variables := map[string]string{"NAME": "after", "LEFT": "x", name: test.value}
			err := process.ReadConfig(environment(variables), &got)
			if err == nil || err.Error() != test.want {
				t.Errorf("ReadConfig = %v, want %s", err, test.want)
			}
			if got.Name != "before" {
				t.Errorf("the configuration was changed: %+v", got)
			}
		})
	}
}

func TestARequiredVariableIsNamedIfItIsMissingOrEmpty(t *testing.T) {
	type required struct {
		Calls  int    `env:"CALLS" help:"calls at a time"`
		Secret string `env:"SECRET_FILE,required" help:"a file"`
	}
	for promise, variables := range map[string]map[string]string{
		"missing":                   {},
		"empty":                     {"SECRET_FILE": ""},
		"missing, another is there": {"CALLS": "1"},
	} {
		t.Run(promise, func(t *testing.T) {
			err := process.ReadConfig(environment(variables), &required{})
			if err == nil || err.Error() != "SECRET_FILE is not set" {
				t.Errorf("ReadConfig = %v, want: SECRET_FILE is not set", err)
			}
		})
	}
	got := required{}
	variables := map[string]string{"SECRET_FILE": "x", "CALLS": "2"}
	err := process.ReadConfig(environment(variables), &got)
	if want := (required{2, "x"}); err != nil || got != want {
		t.Errorf("ReadConfig = %+v, %v; want %+v", got, err, want)
	}
}

func TestAMistakeInAStructIsAnError(t *testing.T) {
	type wrongDefault struct {
		Name  string `env:"NAME"`
		Calls int    `env:"CALLS" envDefault:"many"`
	}
	type wrongOption struct {
		Name string `env:"NAME,optional"`
	}
	for promise, config := range map[string]any{
		"a default of another type": &wrongDefault{},
		"an unknown option":         &wrongOption{},
		"no pointer":                wrongDefault{},
	} {
		t.Run(promise, func(t *testing.T) {
			err := process.ReadConfig(environment(map[string]string{"NAME": "x"}), config)
			if err == nil || !strings.HasPrefix(err.Error(), "read configuration: ") {
				t.Errorf("ReadConfig = %v, want an error of the struct, not of NAME", err)
			}
		})
	}
}

func TestVariablesListsExactlyTheVariablesOfReadConfig(t *testing.T) {
	fields, err := env.GetFieldParams(&config{})
	if err != nil {
		t.Fatal(err)
	}
	var want []process.Variable
	for _, field := range fields {
		want = append(want, process.Variable{Name: field.Key, Default: field.DefaultValue})
	}
	got := process.Variables(&config{})
	for i := range got {
		if got[i].Help == "" {
			t.Errorf("%s has no help", got[i].Name)
		}
		got[i].Help = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Variables (-want +got):\n%s", diff)
	}
}

func TestAVariableOfTwoStructsIsListedOnce(t *testing.T) {
	once := process.Variables(apiConfig{})
	twice := process.Variables(apiConfig{}, &apiConfig{})
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Errorf("Variables (-once +twice):\n%s", diff)
	}
}

func TestEveryProcesssVariablesHaveAHelp(t *testing.T) {
	var names []string
	for _, v := range process.Variables(process.Config{}) {
		names = append(names, v.Name)
		if v.Help == "" {
			t.Errorf("%s has no help", v.Name)
		}
	}
	want := []string{"ADMIN_ADDR", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER",
		"OTEL_TRACES_SAMPLER_ARG", "LOG_LEVEL", "LOG_FORMAT"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestVariablesArePrintedForAHelpText(t *testing.T) {
	var b strings.Builder
	process.PrintVariables(&b, []process.Variable{
		{Name: "URL", Default: "http://127.0.0.1", Help: "address of the API"},
		{Name: "TOKEN_FILE", Help: "a file with the token (none)"},
		{Name: "PAUSES", Default: "1s,2m", Help: "pauses between the calls of one job, in order, " +
			"of which the last one stands for all the others after it"},
	})
	want := `  URL         address of the API (http://127.0.0.1)
  TOKEN_FILE  a file with the token (none)
  PAUSES      pauses between the calls of one job, in order, of which the last one stands for all
              the others after it (1s,2m)
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("PrintVariables (-want +got):\n%s", diff)
	}
}

func TestVariablesArePrintedForADocument(t *testing.T) {
	var b strings.Builder
	process.MarkdownVariables(&b, []process.Variable{
		{Name: "URL", Default: "http://127.0.0.1", Help: "address of the API"},
		{Name: "FORMAT", Help: "json|console of <process>"},
	})
	want := "| variable | default | |\n|---|---|---|\n" +
		"| `URL` | `http://127.0.0.1` | address of the API |\n" +
		"| `FORMAT` |  | json\\|console of &lt;process> |\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("MarkdownVariables (-want +got):\n%s", diff)
	}
}

func TestALoggersVariablesAreChecked(t *testing.T) {
	for name, want := range map[string]string{
		"LOG_LEVEL":  `LOG_LEVEL: "loud" is none of debug, info, warn, error`,
		"LOG_FORMAT": `LOG_FORMAT: "loud" is neither json nor console`,
	} {
		t.Run(name, func(t *testing.T) {
			var c process.Config
			variables := map[string]string{name: "loud"}
			if err := process.ReadConfig(environment(variables), &c); err != nil {
				t.Fatal(err)
			}
			if _, _, err := process.Logger(c); err == nil || err.Error() != want {
				t.Errorf("Logger = %v, want %s", err, want)
			}
		})
	}
}

func TestAValueThatNoOperatorMeantIsRefusedByName(t *testing.T) {
	for promise, test := range map[string]struct{ value, says string }{
		"a byte order mark":             {"\ufeffclient", "byte order mark"},
		"a line end of Windows":         {"client\r", "carriage return"},
		"a line end":                    {"client\n", "blank"},
		"a blank before":                {" client", "blank"},
		"a blank behind":                {"client\t", "blank"},
		"a blank of another kind":       {"client\u00a0", "blank"},
		"nothing but a blank":           {" ", "blank"},
		"double quotes":                 {`"client"`, "quotes"},
		"single quotes":                 {"'client'", "quotes"},
		"one quote":                     {"client'", "quotes"},
		"a control character":           {"cli\x00ent", "control character"},
		"a line end within":             {"cli\nent", "control character"},
		"a letter beyond ASCII":         {"cliént", "beyond ASCII"},
		"a blank of no width":           {"cli\u200bent", "beyond ASCII"},
		"a password with a blank":       {"https://me:sekret@host ", "blank"},
		"a byte that is no text at all": {"cli\xffent", "beyond ASCII"},
	} {
		t.Run(promise, func(t *testing.T) {
			getenv := func(string) string { return test.value }
			var config struct {
				ClientID string `env:"TRUV_CLIENT_ID"`
			}
			errs := map[string]error{"ReadConfig": process.ReadConfig(getenv, &config)}
			_, errs["ReadVariable"] = process.ReadVariable(getenv, "TRUV_CLIENT_ID")
			for reader, err := range errs {
				if err == nil {
					t.Errorf("%s takes the value", reader)
					continue
				}
				text := err.Error()
				if !strings.HasPrefix(text, "TRUV_CLIENT_ID: ") || !strings.Contains(text, test.says) {
					t.Errorf("%s: error %q, want one of the variable that says %q", reader, err,
						test.says)
				}
				if strings.Contains(text, "sekret") || strings.Contains(text, "client") {
					t.Errorf("%s: the error %q quotes the value", reader, err)
				}
			}
		})
	}
}

func TestAnyOtherValueIsTaken(t *testing.T) {
	for _, value := range []string{"", "client", "two words", `it"s`, "30s, 2m", "a#b=c"} {
		got, err := process.ReadVariable(func(string) string { return value }, "ANY")
		if err != nil || got != value {
			t.Errorf("%q is read as %q, %v", value, got, err)
		}
	}
}
