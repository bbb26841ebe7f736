package process

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// Logger returns the process's logger to standard error. An error names LOG_LEVEL or LOG_FORMAT.
func Logger(c Config) (*zap.Logger, error) {
	level, err := parseLevel(c.LogLevel)
	if err != nil {
		return nil, err
	}
	encoder, err := newEncoder(c.LogFormat)
	if err != nil {
		return nil, err
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), level)), nil
}

// parseLevel refuses levels above error: they would hide errors.
func parseLevel(name string) (zapcore.Level, error) {
	level, err := zapcore.ParseLevel(name) // "" is info
	if err != nil || level > zapcore.ErrorLevel {
		return 0, fmt.Errorf("LOG_LEVEL: %q is none of debug, info, warn, error", name)
	}
	return level, nil
}

func newEncoder(format string) (zapcore.Encoder, error) {
	if format == "" {
		format = "json"
		if Terminal(os.Stderr) {
			format = "console"
		}
	}
	config := zap.NewProductionEncoderConfig()
	config.TimeKey = "time"
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	switch format {
	case "json":
		return zapcore.NewJSONEncoder(config), nil
	case "console":
		return zapcore.NewConsoleEncoder(config), nil
	default:
		return nil, fmt.Errorf("LOG_FORMAT: %q is neither json nor console", format)
	}
}

// Terminal reports whether the file is a terminal.
func Terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
