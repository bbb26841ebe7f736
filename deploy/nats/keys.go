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

// A seed is mounted into a container as a single file, and the container's user differs from the
// user who made the file. So every user may read the files. The directory keeps other users of the
// host out, and a mount of a file ignores the directory's mode.
const (
	keyFileMode = 0o644
	keyDirMode  = 0o700
)

// WriteKeys makes a key for every role. Each seed goes to its SeedFile, all public keys go to
// KeysFile, and TeamsFile gets no team. WriteKeys makes the directory if necessary. It returns an
// error before the first write if a file exists already or other users may enter the directory.
func WriteKeys(dir string) error {
	if err := makePrivate(dir); err != nil {
		return err
	}
	roles := stream.Roles()
	for _, name := range append(seedFiles(roles), KeysFile, TeamsFile) {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already, and keys are not overwritten: "+
				"name another directory", path)
		}
	}
	public := "# The public key of each role, for the broker's configuration. " +
		"Nothing here is secret.\n"
	for _, role := range roles {
		key, err := createSeed(filepath.Join(dir, SeedFile(role)))
		if err != nil {
			return fmt.Errorf("make the key of %s: %w", role, err)
		}
		public += keyName(role) + ": " + key + "\n"
	}
	if err := create(filepath.Join(dir, KeysFile), public); err != nil {
		return err
	}
	return create(filepath.Join(dir, TeamsFile), Teams(nil))
}

// makePrivate makes the directory if necessary. It returns an error if other users may enter it.
func makePrivate(dir string) error {
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
	return nil
}

func seedFiles(roles []string) []string {
	var names []string
	for _, role := range roles {
		names = append(names, SeedFile(role))
	}
	return names
}

// createSeed writes the seed of a new key to a file, and returns the public key.
func createSeed(path string) (public string, err error) {
	seed, public, err := newKey()
	if err != nil {
		return "", err
	}
	return public, create(path, seed+"\n")
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
