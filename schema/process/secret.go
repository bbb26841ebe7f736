package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// SecretBytesMin is the shortest secret that is accepted: with less, a signature can be guessed.
const SecretBytesMin = 16

// SecretFile is a file with one secret a line, all of them active. It is read again when it changes, so that a secret is
// rotated by writing the new one beside the old.
type SecretFile struct {
	variable, path string

	mu      sync.Mutex
	secrets []schema.Secret
	stamp   fileStamp
	failed  error
}

type fileStamp struct {
	modified time.Time
	size     int64
}

// OpenSecretFile reads the file that an environment variable names. Its errors name the variable and the file, never a secret.
func OpenSecretFile(variable, path string) (*SecretFile, error) {
	if path == "" {
		return nil, fmt.Errorf("%s is not set: set it to a file with one secret a line", variable)
	}
	f := &SecretFile{variable: variable, path: path}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Active returns every secret in the file, at least one, in the file's order. A change that leaves the file unreadable,
// empty or with a short secret is not taken: the secrets before it stay active, and err says what is wrong, once.
func (f *SecretFile) Active() (secrets []schema.Secret, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.failed
	if err := f.readIfChanged(); err != nil {
		f.failed = err
		if before == nil || before.Error() != err.Error() {
			return f.secrets, err
		}
		return f.secrets, nil
	}
	f.failed = nil
	return f.secrets, nil
}

func (f *SecretFile) readIfChanged() error {
	info, err := os.Stat(f.path)
	if err != nil {
		f.stamp = fileStamp{} // what comes back is read, though it be the same file
		return f.unreadable(err)
	}
	if f.stamp == stampOf(info) {
		return f.failed
	}
	return f.read()
}

func (f *SecretFile) read() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return f.unreadable(err)
	}
	if info.IsDir() {
		return fmt.Errorf("%s: %s is a directory: Docker makes one where the file it is to mount is missing: "+
			"put the file in its place and make the container again", f.variable, f.path)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return f.unreadable(err)
	}
	f.stamp = stampOf(info)
	var secrets []schema.Secret
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case len(line) < SecretBytesMin:
			return fmt.Errorf("%s: %s, line %d: the secret is shorter than %d bytes", f.variable, f.path, n+1, SecretBytesMin)
		default:
			secrets = append(secrets, schema.NewSecret(line))
		}
	}
	if len(secrets) == 0 {
		return fmt.Errorf("%s: %s holds no secret: write one a line", f.variable, f.path)
	}
	f.secrets = secrets
	return nil
}

// unreadable says of the file's error what can be done. A container's user is rarely the one who wrote the file.
func (f *SecretFile) unreadable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: make it readable for user %d, as whom this process runs", f.variable, err, os.Getuid())
	}
	return fmt.Errorf("%s: %w", f.variable, err)
}

func stampOf(info os.FileInfo) fileStamp { return fileStamp{info.ModTime(), info.Size()} }
