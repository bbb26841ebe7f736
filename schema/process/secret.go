package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// compareEvery is how long the size, the time and the identity of a file are trusted to show a
// change. A tool may change the content and keep all of them.
const compareEvery = time.Second

// SecretFile is a file with one secret a line, as schema.ParseSecrets reads the text. All of the
// secrets are active. After a change the file is read again, so an operator rotates a secret by
// adding the new secret to the file. Use a SecretFile from any goroutine.
type SecretFile struct {
	variable, path string
	api            ProviderURL

	mu      sync.Mutex
	secrets []schema.Secret
	// info describes the file of the last read. It is nil if the file could not be read.
	info os.FileInfo
	// readAt is when the last read began.
	readAt time.Time
	// fault is the error of the last read, or nil.
	fault error
}

// OpenSecretFile reads the secrets from a file. path is the value of the environment variable. api
// is the provider whose secrets they are: with a real host, the demonstration's secrets are
// refused, here and after each change. Errors name the variable and the file, and never hold a
// secret.
func OpenSecretFile(variable, path string, api ProviderURL) (*SecretFile, error) {
	if path == "" {
		return nil, fmt.Errorf("%s is not set: set it to a file with one secret a line", variable)
	}
	f := &SecretFile{variable: variable, path: path, api: api}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Active returns every secret in the file, at least one, in the order of the lines. A change is
// found at once by the file's size, time or identity, and after compareEvery by its content. If
// the file becomes unreadable, or gets a line that OpenSecretFile refuses, then the secrets from
// before stay active, and Active returns them with an error. Active and Reload return the same
// error only once.
func (f *SecretFile) Active() (secrets []schema.Secret, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.secrets, f.report(f.readIfChanged())
}

// Reload reads the file at once and returns the active secrets, as Active does. changed reports
// whether they differ from the secrets of before. Call Reload when none of the secrets of before
// fits: another secret may have been added a moment ago. Calls at the same time share one read.
func (f *SecretFile) Reload(before []schema.Secret) (now []schema.Secret, changed bool, err error) {
	asked := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.readAt.After(asked) {
		err = f.report(f.read())
	}
	return f.secrets, !slices.EqualFunc(before, f.secrets, isSameSecret), err
}

func isSameSecret(a, b schema.Secret) bool { return a.Reveal() == b.Reveal() }

// report keeps the error of a read, and returns nil if the read before had the same error.
func (f *SecretFile) report(err error) error {
	before := f.fault
	f.fault = err
	if before != nil && err != nil && before.Error() == err.Error() {
		return nil
	}
	return err
}

func (f *SecretFile) readIfChanged() error {
	info, err := os.Stat(f.path)
	if err == nil && isUnchanged(f.info, info) && time.Since(f.readAt) < compareEvery {
		return f.fault
	}
	return f.read()
}

// isUnchanged compares two descriptions of a path. before may be nil.
func isUnchanged(before, now os.FileInfo) bool {
	return before != nil && os.SameFile(before, now) &&
		before.Size() == now.Size() && before.ModTime().Equal(now.ModTime())
}

func (f *SecretFile) read() error {
	f.readAt = time.Now()
	info, text, err := readText(f.path)
	f.info = info
	if err != nil {
		return f.explain(err)
	}
	secrets, err := schema.ParseSecrets(text)
	if err == nil {
		err = f.refuseDemo(secrets)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", f.variable, f.path, err)
	}
	f.secrets = secrets
	return nil
}

func (f *SecretFile) refuseDemo(secrets []schema.Secret) error {
	for _, secret := range secrets {
		if err := f.api.refuseDemo(secret.Reveal()); err != nil {
			return err
		}
	}
	return nil
}

// readText reads at most one byte more than a text of secrets may have. info is nil if err is not,
// and describes the file before the read: a later change differs from info.
func readText(path string) (info os.FileInfo, text []byte, err error) {
	info, err = os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return nil, nil, fmt.Errorf("%s is a directory: "+
			"Docker creates a directory if a file to mount is missing: "+
			"put the file in its place and create the container again", path)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no regular file, and could not be read again: "+
			"write the secrets into a file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err = io.ReadAll(io.LimitReader(file, schema.SecretTextBytesMax+1))
	if err != nil {
		return nil, nil, err
	}
	return info, text, nil
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
