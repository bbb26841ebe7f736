package process_test

import (
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema/process"
)

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestTheLoggersLevel(t *testing.T) {
	for promise, test := range map[string]struct {
		level   string
		on, off zapcore.Level
	}{
		"is info where none is set": {"", zapcore.InfoLevel, zapcore.DebugLevel},
		"may be debug":              {"debug", zapcore.DebugLevel, zapcore.DebugLevel - 1},
		"may be info":               {"info", zapcore.InfoLevel, zapcore.DebugLevel},
		"may be warn":               {"warn", zapcore.WarnLevel, zapcore.InfoLevel},
		"may be error":              {"error", zapcore.ErrorLevel, zapcore.WarnLevel},
		"may shout":                 {"WARN", zapcore.WarnLevel, zapcore.InfoLevel},
	} {
		t.Run(promise, func(t *testing.T) {
			log, err := process.Logger(process.Config{LogLevel: test.level, LogFormat: "json"})
			if err != nil {
				t.Fatal(err)
			}
			if !log.Core().Enabled(test.on) || log.Core().Enabled(test.off) {
				t.Errorf("%s is on: %t, want true; %s is on: %t, want false",
					test.on, log.Core().Enabled(test.on), test.off, log.Core().Enabled(test.off))
			}
		})
	}
}

func TestALoggerIsMadeInEveryFormat(t *testing.T) {
	for _, format := range []string{"", "json", "console"} {
		if _, err := process.Logger(process.Config{LogFormat: format}); err != nil {
			t.Errorf("LOG_FORMAT=%s: %v", format, err)
		}
	}
}

func TestALoggerIsNotMadeOf(t *testing.T) {
	for promise, test := range map[string]struct {
		env  map[string]string
		says string
	}{
		"an unknown level": {
			map[string]string{"LOG_LEVEL": "loud"},
			`LOG_LEVEL: "loud" is none of debug, info, warn, error`,
		},
		"a level that would hide errors": {
			map[string]string{"LOG_LEVEL": "fatal"},
			`LOG_LEVEL: "fatal" is none of debug, info, warn, error`,
		},
		"an unknown format": {
			map[string]string{"LOG_FORMAT": "xml"}, `LOG_FORMAT: "xml" is neither json nor console`,
		},
		"a format in capitals": {
			map[string]string{"LOG_FORMAT": "JSON"},
			`LOG_FORMAT: "JSON" is neither json nor console`,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			if _, err := process.Logger(process.Config{LogLevel: test.env["LOG_LEVEL"], LogFormat: test.env["LOG_FORMAT"]}); err == nil ||
				err.Error() != test.says {
				t.Errorf("Logger: %v, want %q", err, test.says)
			}
		})
	}
}
