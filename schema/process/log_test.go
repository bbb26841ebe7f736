package process_test

import (
	"os"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/wagewire/wagewire/schema/process"
)

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
		config process.Config
		says   string
	}{
		"an unknown level": {
			process.Config{LogLevel: "loud"},
			`LOG_LEVEL: "loud" is none of debug, info, warn, error`,
		},
		"a level that hides errors": {
			process.Config{LogLevel: "fatal"},
			`LOG_LEVEL: "fatal" is none of debug, info, warn, error`,
		},
		"an unknown format": {
			process.Config{LogFormat: "xml"}, `LOG_FORMAT: "xml" is neither json nor console`,
		},
		"a format in capitals": {
			process.Config{LogFormat: "JSON"}, `LOG_FORMAT: "JSON" is neither json nor console`,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			_, err := process.Logger(test.config)
			if err == nil || err.Error() != test.says {
				t.Errorf("Logger: %v, want %q", err, test.says)
			}
		})
	}
}

func TestANullDeviceIsNoTerminal(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if process.Terminal(file) {
		t.Errorf("%s counts as a terminal", os.DevNull)
	}
}
