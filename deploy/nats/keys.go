package nats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/wagewire/wagewire/schema/stream"
)

// KeysFile holds the public key of each role, for the broker.
const KeysFile = "keys.conf"

// A seed is mounted into its container file by file, and read there by a user of another number than the one who made it. So
// the files may be read by everybody, and the directory around them, which a mount of a file does not look at, keeps
// everybody on the host out.
const (
	keyFileMode = 0o644
	keyDirMode  = 0o700
)

// WriteKeys makes a key for every role: its seed in SeedFile, all public keys in KeysFile. It makes the directory if need be.
// It overwrites nothing, and writes nothing where one of the files is there or others may enter the directory.
func WriteKeys(dir string) error {
	if err := os.MkdirAll(dir, keyDirMode); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&^keyDirMode != 0 {
		return fmt.Errorf("others may enter %s, and could read the seeds: chmod 700 %s, or name another directory", dir, dir)
	}
	grants := stream.Grants()
	for _, name := range append(seedFiles(grants), KeysFile) {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already, and keys are not overwritten: name another directory", filepath.Join(dir, name))
		}
	}
	public := "# The public key of each role. The broker includes it in its configuration; nothing here is secret.\n"
	for _, grant := range grants {
		seed, key, err := newKey()
		if err != nil {
			return fmt.Errorf("make the key of %s: %w", grant.Role, err)
		}
		if err := create(filepath.Join(dir, SeedFile(grant.Role)), seed+"\n"); err != nil {
			return err
		}
		public += keyName(grant.Role) + ": " + key + "\n"
	}
	return create(filepath.Join(dir, KeysFile), public)
}

func seedFiles(grants []stream.Grant) []string {
	var names []string
	for _, grant := range grants {
		names = append(names, SeedFile(grant.Role))
	}
	return names
}

func newKey() (seed, public string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", "", err
	}
	text, err := pair.Seed()
	if err != nil {
		return "", "", err
	}
	public, err = pair.PublicKey()
	return string(text), public, err
}

// create writes a file that must not be there. Whatever the umask, it has the mode that the container needs.
func create(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, keyFileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(keyFileMode); err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return err
}
