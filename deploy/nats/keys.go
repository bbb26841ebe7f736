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

// KeysFile is the name of the file with the public key of each role. The broker reads the file.
const KeysFile = "keys.conf"

// A seed is mounted into a container as a single file, and the container's user differs from the
// user who made the file. So every user may read the files. The directory keeps other users of the
// host out, and a mount of a file ignores the directory's mode.
const (
	keyFileMode = 0o644
	keyDirMode  = 0o700
)

// WriteKeys makes a key for every role. Each seed goes to its SeedFile, all public keys go to
// KeysFile. WriteKeys makes the directory if necessary. It returns an error before the first write
// if a file exists already or other users may enter the directory.
func WriteKeys(dir string) error {
	if err := os.MkdirAll(dir, keyDirMode); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&^keyDirMode != 0 {
		return fmt.Errorf("other users may enter %s and read the seeds: "+
			"chmod 700 %s, or name another directory", dir, dir)
	}
	grants := stream.Grants()
	for _, name := range append(seedFiles(grants), KeysFile) {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already, and keys are not overwritten: "+
				"name another directory", path)
		}
	}
	public := "# The public key of each role, for the broker's configuration. " +
		"Nothing here is secret.\n"
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

// create writes a new file with keyFileMode, also under a strict umask.
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
