package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// Made by hand: the superuser, as whom tests may run, is refused no file.
func TestAFileThatTheUserMayNotReadIsToBeMadeReadable(t *testing.T) {
	refused := &fs.PathError{Op: "open", Path: "/run/secrets/pinwheel", Err: syscall.EACCES}
	err := (&SecretFile{variable: "PINWHEEL_SECRETS_FILE"}).unreadable(refused)
	want := fmt.Sprintf("PINWHEEL_SECRETS_FILE: open /run/secrets/pinwheel: permission denied: make it readable for user %d, as whom this process runs", os.Getuid())
	if !errors.Is(err, fs.ErrPermission) || err.Error() != want {
		t.Errorf("it says %q, want %q", err, want)
	}
}
