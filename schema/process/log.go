package process

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logger makes the process's logger, which writes to standard error. Its errors name LOG_LEVEL or LOG_FORMAT.
func Logger(c Config) (*zap.Logger, error) {
	level := zapcore.InfoLevel
	if s := c.LogLevel; s != "" {
		var err error
		if level, err = zapcore.ParseLevel(s); err != nil || level > zapcore.ErrorLevel {
			return nil, fmt.Errorf("LOG_LEVEL: %q is none of debug, info, warn, error", s)
		}
	}
	config := zap.NewProductionEncoderConfig()
	config.TimeKey, config.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	var encoder zapcore.Encoder
	switch format := c.LogFormat; {
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
