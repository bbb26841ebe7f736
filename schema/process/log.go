package process

import (
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

const (
	// logBytesMax is the memory for lines that are not written yet.
	logBytesMax = 64 << 10
	// logFor is how long a line below warn may wait until it is written.
	logFor = 200 * time.Millisecond
)

// Logger returns the process's logger to standard error. In JSON, lines below warn are written
// together: after logFor at the latest, when there are more than logBytesMax of them, and before
// any warning or error. The caller must call stop when the process ends, after the last line. A
// process that is killed, also by a second signal, or that panics in another goroutine than that of
// stop, loses the lines that wait. An error names LOG_LEVEL or LOG_FORMAT.
func Logger(c Config) (log *zap.Logger, stop func(), _ error) {
	return newLogger(c, os.Stderr)
}

func newLogger(c Config, w io.Writer) (log *zap.Logger, stop func(), _ error) {
	level, err := parseLevel(c.LogLevel)
	if err != nil {
		return nil, nil, err
	}
	format := c.LogFormat
	if format == "" {
		format = defaultFormat()
	}
	encoder, err := newEncoder(format)
	if err != nil {
		return nil, nil, err
	}
	if format == formatConsole { // a person reads along
		log = zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level))
		return log, func() {}, nil
	}
	lines := &zapcore.BufferedWriteSyncer{
		WS: zapcore.AddSync(tireless{w}), Size: logBytesMax, FlushInterval: logFor,
	}
	log = zap.New(zapcore.NewCore(encoder, lines, level), zap.Hooks(func(e zapcore.Entry) error {
		if e.Level >= zapcore.WarnLevel {
			return lines.Sync()
		}
		return nil
	}))
	return log, func() { _ = lines.Stop() }, nil
}

// tireless is a writer without errors. A buffer drops every line after the first error, but a full
// disk may have room again. Nobody could be told of the error in any case.
type tireless struct{ w io.Writer }

// Write writes what can be written.
func (t tireless) Write(lines []byte) (int, error) {
	_, _ = t.w.Write(lines)
	return len(lines), nil
}

// parseLevel refuses levels above error: they would hide errors.
func parseLevel(name string) (zapcore.Level, error) {
	level, err := zapcore.ParseLevel(name) // "" is info
	if err != nil || level > zapcore.ErrorLevel {
		return 0, fmt.Errorf("LOG_LEVEL: %q is none of debug, info, warn, error", name)
	}
	return level, nil
}

// The values of LOG_FORMAT.
const (
	formatJSON    = "json"
	formatConsole = "console"
)

func defaultFormat() string {
	if Terminal(os.Stderr) {
		return formatConsole
	}
	return formatJSON
}

func newEncoder(format string) (zapcore.Encoder, error) {
	config := zap.NewProductionEncoderConfig()
	config.TimeKey = "time"
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	switch format {
	case formatJSON:
		return zapcore.NewJSONEncoder(config), nil
	case formatConsole:
		return zapcore.NewConsoleEncoder(config), nil
	default:
		return nil, fmt.Errorf("LOG_FORMAT: %q is neither json nor console", format)
	}
}

// Terminal reports whether the file is a terminal.
func Terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
