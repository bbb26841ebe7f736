package process

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is the part of a process's configuration that every process has.
type Config struct {
	// AdminAddr is where the process serves /livez, /readyz and /metrics. Empty: nowhere.
	AdminAddr string `env:"ADMIN_ADDR" help:"listener for /livez, /readyz and /metrics, such as :9090 (off; images set :9090)"`
	// TracesEndpoint is an OTLP collector over HTTP. Empty: no traces.
	TracesEndpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"where traces go, by OTLP over HTTP, such as http://collector:4318 (nowhere)"`
	LogLevel       string `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	// LogFormat is json or console. Empty: console in a terminal, json elsewhere.
	LogFormat string `env:"LOG_FORMAT" help:"json or console (console in a terminal, json elsewhere)"`
}

// ReadConfig fills the struct that config points to from the environment. The struct's fields have the tags of package
// env (env, envDefault, envPrefix) and the tag help. A variable that is empty counts as not set. An error names the
// variable to change.
func ReadConfig(getenv func(string) string, config any) error {
	fields, err := env.GetFieldParams(config)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	environment := map[string]string{}
	for _, field := range fields {
		value := getenv(field.Key)
		if value == "" {
			continue
		}
		environment[field.Key] = value
		if err := tryVariable(config, field.Key, value); err != nil {
			return err
		}
	}
	if err := env.ParseWithOptions(config, env.Options{Environment: environment}); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return nil
}

// tryVariable parses one variable alone, into a struct that is thrown away: package env names the field of a value it
// cannot parse, and the reader of the error knows the variable.
func tryVariable(config any, name, value string) error {
	trial := reflect.New(reflect.TypeOf(config).Elem()).Interface()
	err := env.ParseWithOptions(trial, env.Options{Environment: map[string]string{name: value}})
	if err == nil {
		return nil
	}
	wrong, ok := errors.AsType[env.ParseError](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch wrong.Type {
	case reflect.TypeFor[time.Duration]():
		return fmt.Errorf("%s: %q is not a duration such as 20m", name, value)
	case reflect.TypeFor[int](), reflect.TypeFor[float64]():
		return fmt.Errorf("%s: %q is not a number", name, value)
	default:
		return fmt.Errorf("%s: %w", name, wrong.Err)
	}
}

// Variable is an environment variable that a process reads.
type Variable struct {
	Name    string
	Default string
	Help    string
}

// String is the variable's help with its default.
func (v Variable) String() string {
	if v.Default == "" {
		return v.Help
	}
	return fmt.Sprintf("%s (%s)", v.Help, v.Default)
}

// Variables lists the variables of configuration structs in the order of their fields. Every help text and table of
// variables is made from this list.
func Variables(configs ...any) []Variable {
	var variables []Variable
	for _, config := range configs {
		variables = append(variables, variablesOf(reflect.TypeOf(config), "")...)
	}
	return variables
}

func variablesOf(t reflect.Type, prefix string) []Variable {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var variables []Variable
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		switch {
		case name != "":
			variables = append(variables, Variable{
				Name:    prefix + name,
				Default: field.Tag.Get("envDefault"),
				Help:    field.Tag.Get("help"),
			})
		case field.Type.Kind() == reflect.Struct && field.IsExported():
			variables = append(variables, variablesOf(field.Type, prefix+field.Tag.Get("envPrefix"))...)
		}
	}
	return variables
}

// helpColumns is how wide the help of a command may be.
const helpColumns = 100

// PrintVariables prints variables as the section "Environment:" of a help text shows them.
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

// wrap breaks a text into lines of at most width bytes, at spaces.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
