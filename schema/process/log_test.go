package process_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
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
			log, stop, err := process.Logger(process.Config{LogLevel: test.level, LogFormat: "json"})
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			if !log.Core().Enabled(test.on) || log.Core().Enabled(test.off) {
				t.Errorf("%s is on: %t, want true; %s is on: %t, want false",
					test.on, log.Core().Enabled(test.on), test.off, log.Core().Enabled(test.off))
			}
		})
	}
}

func TestALoggerIsMadeInEveryFormat(t *testing.T) {
	for _, format := range []string{"", "json", "console"} {
		if _, _, err := process.Logger(process.Config{LogFormat: format}); err != nil {
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
			_, _, err := process.Logger(test.config)
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

// inBubble calls test with a logger of a format that writes to w, in virtual time.
func inBubble(
	t *testing.T, format string, w io.Writer, test func(t *testing.T, log *zap.Logger, stop func()),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log, stop, err := process.NewLogger(process.Config{LogFormat: format}, w)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		test(t, log, stop)
	})
}

// requireLines fails the test unless the text has a JSON line for each of the messages, in order.
func requireLines(t *testing.T, text *bytes.Buffer, messages ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(text.String()) {
		_, rest, _ := strings.Cut(line, `"msg":"`)
		message, _, _ := strings.Cut(rest, `"`)
		got = append(got, message)
	}
	if strings.Join(got, ",") != strings.Join(messages, ",") {
		t.Errorf("the lines are %q, want %q", got, messages)
	}
}

// passSecond moves the clock of a bubble on by a second.
func passSecond() {
	time.Sleep(time.Second) //nolint:forbidigo // a synctest bubble
	synctest.Wait()
}

func TestALineIsWritten(t *testing.T) {
	for promise, test := range map[string]struct {
		write func(log *zap.Logger, stop func())
		lines int
	}{
		"within a second": {func(log *zap.Logger, _ func()) {
			log.Info("first")
			passSecond()
		}, 1},
		"within a second, behind lines that were written": {func(log *zap.Logger, _ func()) {
			log.Info("first")
			passSecond()
			log.Info("second")
			passSecond()
		}, 2},
		"when the process ends": {func(log *zap.Logger, stop func()) {
			log.Info("first")
			log.Info("second")
			stop()
		}, 2},
		"at once, and those before it, if it is a warning": {
			func(log *zap.Logger, _ func()) {
				log.Info("first")
				log.Warn("second")
			}, 2,
		},
		"at once, and those before it, if it is an error": {
			func(log *zap.Logger, _ func()) {
				log.Info("first")
				log.With(zap.Int("n", 1)).Error("second")
			}, 2,
		},
		"at once, if it is a warning after the end": {func(log *zap.Logger, stop func()) {
			log.Info("first")
			stop()
			log.Warn("second")
		}, 2},
		"later, if it is neither": {func(log *zap.Logger, _ func()) {
			log.Info("first")
			synctest.Wait()
		}, 0},
	} {
		t.Run(promise, func(t *testing.T) {
			var text bytes.Buffer
			inBubble(t, "json", &text, func(t *testing.T, log *zap.Logger, stop func()) {
				test.write(log, stop)
				requireLines(t, &text, []string{"first", "second"}[:test.lines]...)
			})
		})
	}
}

func TestALineForAPersonIsWrittenAtOnce(t *testing.T) {
	var text bytes.Buffer
	inBubble(t, "console", &text, func(t *testing.T, log *zap.Logger, _ func()) {
		log.Info("first")
		if !strings.Contains(text.String(), "first") {
			t.Errorf("the lines are %q, want first", text.String())
		}
	})
}

func TestLinesThatWaitHaveABoundedMemory(t *testing.T) {
	var text bytes.Buffer
	inBubble(t, "json", &text, func(t *testing.T, log *zap.Logger, stop func()) {
		const n = 10_000
		for range n {
			log.Info("line")
		}
		written := text.Len()
		stop()
		if waited := text.Len() - written; waited > process.LogBytesMax {
			t.Errorf("%d bytes have waited, want at most %d", waited, process.LogBytesMax)
		}
		if lines := strings.Count(text.String(), "\n"); lines != n {
			t.Errorf("%d lines are written, want %d", lines, n)
		}
	})
}

// fullDisk is a writer whose first write fails.
type fullDisk struct {
	bytes.Buffer

	isFreed bool
}

func (d *fullDisk) Write(p []byte) (int, error) {
	if !d.isFreed {
		d.isFreed = true
		return 0, errors.New("no space left on device")
	}
	return d.Buffer.Write(p)
}

func TestLinesAreWrittenAgainAfterTheDiskWasFull(t *testing.T) {
	var disk fullDisk
	inBubble(t, "json", &disk, func(t *testing.T, log *zap.Logger, _ func()) {
		log.Warn("lost")
		log.Warn("first")
		log.Warn("second")
		requireLines(t, &disk.Buffer, "first", "second")
	})
}
