package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// lockFile is a file in the directory of the store, beside the files of nats-server. The process
// whose server uses the store holds a lock on the file, and the file has the number of the process.
// The operating system frees the lock when the process ends, also after SIGKILL.
const lockFile = "in-use"

// InUseError means that a server of another process, or of this one, uses the store. Two servers on
// one store would overwrite each other's messages.
type InUseError struct {
	// Dir is the directory of the store.
	Dir string
	// PID is the number of the process. 0: the process has not written it yet.
	PID int
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("%s is in use by process %d", e.Dir, e.PID)
}

// lockStore takes the lock of the store, and makes the directory if necessary. It does not wait: if
// the store is in use, it returns an *InUseError.
func lockStore(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockFile)
	lock := flock.New(path, flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !locked {
		return nil, &InUseError{Dir: dir, PID: readPID(path)}
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		_ = lock.Unlock()
		return nil, err
	}
	return lock, nil
}

// readPID returns the number in a lock file, or 0 if there is none.
func readPID(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
