package process

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logger builds the process's logger from LOG_LEVEL (debug, info, warn, error) and LOG_FORMAT (json, console). Where
// LOG_FORMAT is empty it is console in a terminal and json elsewhere. It writes to standard error.
func Logger(getenv func(string) string) (*zap.Logger, error) {
	level := zapcore.InfoLevel
	if s := getenv("LOG_LEVEL"); s != "" {
		var err error
		if level, err = zapcore.ParseLevel(s); err != nil || level > zapcore.ErrorLevel {
			return nil, fmt.Errorf("LOG_LEVEL: %q is none of debug, info, warn, error", s)
		}
	}
	config := zap.NewProductionEncoderConfig()
	config.TimeKey, config.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	var encoder zapcore.Encoder
	switch format := getenv("LOG_FORMAT"); {
	case format == "json", format == "" && !Terminal(os.Stderr):
		encoder = zapcore.NewJSONEncoder(config)
	case format == "console", format == "":
		encoder = zapcore.NewConsoleEncoder(config)
	default:
		return nil, fmt.Errorf("LOG_FORMAT: %q is neither json nor console", format)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), level)), nil
}

// Terminal reports whether a person is reading the file.
func Terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
