package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// The error is made by hand, because tests may run as the superuser, who can read every file.
func TestAnUnreadableFilesErrorSaysForWhomToMakeItReadable(t *testing.T) {
	refused := &fs.PathError{Op: "open", Path: "/run/secrets/pinwheel", Err: syscall.EACCES}
	err := (&SecretFile{variable: "PINWHEEL_SECRETS_FILE"}).explain(refused)
	want := fmt.Sprintf("PINWHEEL_SECRETS_FILE: open /run/secrets/pinwheel: permission denied: "+
		"make the file readable for user %d, the user of this process", os.Getuid())
	if !errors.Is(err, fs.ErrPermission) || err.Error() != want {
		t.Errorf("explain = %q, want %q", err, want)
	}
}
