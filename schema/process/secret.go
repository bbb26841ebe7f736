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

// SecretBytesMin is the length of the shortest accepted secret. A signature made with a shorter
// secret can be guessed.
const SecretBytesMin = 16

// SecretFile is a file with one secret a line. All of the secrets are active. After a change the
// file is read again, so an operator rotates a secret by adding the new secret to the file.
type SecretFile struct {
	variable, path string

	mu      sync.Mutex
	secrets []schema.Secret
	// stamp is the stamp of the last read file. It is zero if the file was missing.
	stamp fileStamp
	// fault is the error of the last read, or nil.
	fault error
}

// fileStamp tells two contents of a file apart without reading them.
type fileStamp struct {
	modified time.Time
	size     int64
}

// OpenSecretFile reads the secrets from a file. path is the value of the environment variable.
// Errors name the variable and the file, and never hold a secret.
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

// Active returns every secret in the file, at least one, in the order of the lines. If the file
// becomes unreadable or empty, or gets a short secret, then the secrets from before stay active,
// and Active returns them with an error. Active returns the same error only once.
func (f *SecretFile) Active() (secrets []schema.Secret, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.fault
	f.fault = f.readIfChanged()
	if isSameFault(before, f.fault) {
		return f.secrets, nil
	}
	return f.secrets, f.fault
}

func isSameFault(before, after error) bool {
	return before != nil && after != nil && before.Error() == after.Error()
}

func (f *SecretFile) readIfChanged() error {
	info, err := os.Stat(f.path)
	if err != nil {
		f.stamp = fileStamp{} // read the file when it returns, even unchanged
		return f.explain(err)
	}
	if f.stamp == stampOf(info) {
		return f.fault
	}
	return f.read()
}

func (f *SecretFile) read() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return f.explain(err)
	}
	if info.IsDir() {
		return fmt.Errorf("%s: %s is a directory: "+
			"Docker creates a directory if a file to mount is missing: "+
			"put the file in its place and create the container again", f.variable, f.path)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return f.explain(err)
	}
	f.stamp = stampOf(info)
	secrets, err := parseSecrets(f.path, string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", f.variable, err)
	}
	f.secrets = secrets
	return nil
}

// parseSecrets reads the secrets from the text of a file.
func parseSecrets(path, text string) ([]schema.Secret, error) {
	var secrets []schema.Secret
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case len(line) < SecretBytesMin:
			return nil, fmt.Errorf("%s, line %d: the secret is shorter than %d bytes",
				path, number, SecretBytesMin)
		default:
			secrets = append(secrets, schema.NewSecret(line))
		}
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%s holds no secret: write one secret a line", path)
	}
	return secrets, nil
}

// explain adds the variable to an error of the file, and the cure if permission is missing. The
// user of a container often differs from the owner of the file.
func (f *SecretFile) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: make the file readable for user %d, the user of this process",
			f.variable, err, os.Getuid())
	}
	return fmt.Errorf("%s: %w", f.variable, err)
}

func stampOf(info os.FileInfo) fileStamp { return fileStamp{info.ModTime(), info.Size()} }
