package process

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"
)

// Config is the configuration of package process, for every process.
type Config struct {
	// AdminAddr is the address of /livez, /readyz and /metrics. If empty, none of them is served.
	AdminAddr string `env:"ADMIN_ADDR" help:"listener for /livez, /readyz and /metrics, such as :9090 (off; images set :9090)"`
	// TracesEndpoint is the URL of an OTLP collector. If empty, no traces are sent.
	TracesEndpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"where traces go, by OTLP over HTTP, such as http://collector:4318 (nowhere)"`
	// TracesSampler and TracesSamplerArg say which traces are kept. Tracing checks both.
	TracesSampler    string `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on" help:"which traces are kept: always_on, always_off, traceidratio, or one of them with parentbased_ before it"`
	TracesSamplerArg string `env:"OTEL_TRACES_SAMPLER_ARG" help:"the share of the traces that a sampler with traceidratio keeps, from 0 to 1 (1)"`
	// LogLevel and LogFormat are checked by Logger.
	LogLevel string `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	// LogFormat is json or console. If empty, it is console in a terminal and json elsewhere.
	LogFormat string `env:"LOG_FORMAT" help:"json or console (console in a terminal, json elsewhere)"`
}

// ReadConfig fills a struct from the environment. config points to the struct. A field has the tags
// of package caarlos0/env (env, envDefault, envPrefix) and the tag help, a text for operators:
//
//	type Config struct {
//		URL     string        `env:"URL" envDefault:"http://127.0.0.1" help:"address of the API"`
//		Timeout time.Duration `env:"TIMEOUT" envDefault:"20s" help:"time limit of a call"`
//	}
//
// A value with blanks or quotes around it, a control character or a character beyond ASCII is
// refused. A variable with an empty value counts as not set. A field without a variable gets its
// envDefault, or stays as it is. An error names the variable, and then config is unchanged.
func ReadConfig(getenv func(string) string, config any) error {
	fields, err := env.GetFieldParams(config)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	environment := map[string]string{}
	for _, field := range fields {
		value := getenv(field.Key)
		if value == "" {
			if field.Required || field.NotEmpty {
				return fmt.Errorf("%s is not set", field.Key)
			}
			continue
		}
		if err := checkText(field.Key, value); err != nil {
			return err
		}
		if err := checkVariable(config, field.Key, value); err != nil {
			return err
		}
		environment[field.Key] = value
	}
	if err := env.ParseWithOptions(config, env.Options{Environment: environment}); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return nil
}

// ReadVariable returns the value of one variable. It is for variables whose names are made while a
// process starts, and refuses the values that ReadConfig refuses.
func ReadVariable(getenv func(string) string, name string) (string, error) {
	value := getenv(name)
	if err := checkText(name, value); err != nil {
		return "", err
	}
	return value, nil
}

// checkText returns an error if the value of a variable has what editors and files of variables add
// unseen. The error does not quote the value, because a URL may have a password in it.
func checkText(name, value string) error {
	why := ""
	switch {
	case value == "":
	case strings.HasPrefix(value, "\ufeff"):
		why = "begins with a byte order mark: save the file of variables as UTF-8 without it"
	case strings.HasSuffix(value, "\r"):
		why = "ends with a carriage return: save the file of variables with line ends of Unix"
	case strings.TrimSpace(value) != value:
		why = "begins or ends with a blank: remove it"
	case strings.ContainsFunc(value, unicode.IsControl):
		why = "has a control character: write it again"
	case strings.ContainsFunc(value, isBeyondASCII):
		why = "has a character beyond ASCII: write it again"
	case isQuoted(value):
		why = "has quotes around it: remove them"
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%s: the value %s", name, why)
}

func isBeyondASCII(r rune) bool { return r > unicode.MaxASCII }

// isQuoted reports whether a quote begins the value or ends it.
func isQuoted(value string) bool {
	const quotes = "\"'`"
	first := value[0]
	last := value[len(value)-1]
	return strings.IndexByte(quotes, first) >= 0 || strings.IndexByte(quotes, last) >= 0
}

// checkVariable parses one variable into a new struct, without the others and without defaults. An
// error of package env names only the field, so checkVariable adds the name of the variable.
func checkVariable(config any, name, value string) error {
	trial := reflect.New(reflect.TypeOf(config).Elem()).Interface()
	err := env.ParseWithOptions(trial, env.Options{
		Environment:         map[string]string{name: value},
		DefaultValueTagName: "none",
	})
	fault, ok := errors.AsType[env.ParseError](err)
	if !ok {
		return nil
	}
	return fmt.Errorf("%s: %w", name, explainFault(fault, value))
}

// explainFault says in an operator's words why the value does not fit the field's type.
func explainFault(fault env.ParseError, value string) error {
	switch {
	case reflect.PointerTo(fault.Type).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return fault.Err
	case errors.Is(fault.Err, strconv.ErrRange):
		return fmt.Errorf("%q is out of range", value)
	case fault.Type == reflect.TypeFor[time.Duration]():
		return fmt.Errorf("%q is not a duration such as 20m", value)
	case fault.Type.Kind() == reflect.Bool:
		return fmt.Errorf("%q is neither true nor false: write 1 or 0", value)
	case isIn(fault.Type.Kind(), reflect.Int, reflect.Int64) && isNumber(value):
		return fmt.Errorf("%q is not a whole number", value)
	case isIn(fault.Type.Kind(), reflect.Uint, reflect.Uint64) && isNumber(value):
		return fmt.Errorf("%q is not a whole number of 0 or more", value)
	case isIn(fault.Type.Kind(), reflect.Int, reflect.Float64):
		return fmt.Errorf("%q is not a number", value)
	default:
		return fault.Err
	}
}

// isIn reports whether a kind is in a range of kinds, both ends included.
func isIn(kind, first, last reflect.Kind) bool { return first <= kind && kind <= last }

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// Variable is an environment variable of a process.
type Variable struct {
	Name    string
	Default string
	Help    string
}

// String is the variable's help, and its default in parentheses.
func (v Variable) String() string {
	if v.Default == "" {
		return v.Help
	}
	return fmt.Sprintf("%s (%s)", v.Help, v.Default)
}

// Variables lists the variables of configuration structs in the order of the fields. A variable of
// several structs is listed once. Every help text and every table of variables is made from the
// list.
func Variables(configs ...any) []Variable {
	var variables []Variable
	listed := map[string]bool{}
	for _, config := range configs {
		t := reflect.TypeOf(config)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		for _, v := range variablesOf(t, "") {
			if !listed[v.Name] {
				listed[v.Name] = true
				variables = append(variables, v)
			}
		}
	}
	return variables
}

// variablesOf lists the variables of one struct type. All of their names begin with prefix.
func variablesOf(t reflect.Type, prefix string) []Variable {
	var variables []Variable
	for field := range t.Fields() {
		if !field.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		switch {
		case name == "-":
		case name != "":
			variables = append(variables, Variable{
				Name:    prefix + name,
				Default: field.Tag.Get("envDefault"),
				Help:    field.Tag.Get("help"),
			})
		case field.Type.Kind() == reflect.Struct:
			inner := variablesOf(field.Type, prefix+field.Tag.Get("envPrefix"))
			variables = append(variables, inner...)
		}
	}
	return variables
}

// helpColumns is the width of a command's help text.
const helpColumns = 100

// PrintVariables prints the lines of section "Environment:" in a help text.
func PrintVariables(w io.Writer, variables []Variable) {
	widest := 0
	for _, v := range variables {
		widest = max(widest, len(v.Name))
	}
	indent := "\n" + strings.Repeat(" ", widest+4)
	for _, v := range variables {
		text := strings.Join(wrap(v.String(), helpColumns-widest-4), indent)
		fmt.Fprintf(w, "  %-*s  %s\n", widest, v.Name, text)
	}
}

// MarkdownVariables prints variables as a table for a Markdown document.
func MarkdownVariables(w io.Writer, variables []Variable) {
	fmt.Fprint(w, "| variable | default | |\n|---|---|---|\n")
	for _, v := range variables {
		value := ""
		if v.Default != "" {
			value = "`" + v.Default + "`"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", v.Name, value, markdownEscapes.Replace(v.Help))
	}
}

// markdownEscapes keeps text within its cell and placeholders such as <provider> visible.
var markdownEscapes = strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ")

// wrap splits a text at spaces into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
