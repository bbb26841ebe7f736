package nats

import (
	"bytes"
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
	if path := present(dir, append(seedFiles(roles), KeysFile, TeamsFile)...); path != "" {
		return fmt.Errorf("%s exists already, and keys are not overwritten: "+
			"name another directory", path)
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

// AddKeys makes a key for every role without one, in a directory with the KeysFile of an earlier
// release: the seed goes to the role's SeedFile, the public key to the end of KeysFile. A line of
// KeysFile and a seed that are there stay. AddKeys returns the roles that got a key.
func AddKeys(dir string) ([]string, error) {
	if err := makePrivate(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, KeysFile)
	public, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: without --missing, the command makes a set of keys", err)
	}
	var added []string
	for _, role := range stream.Roles() {
		if bytes.Contains(append([]byte("\n"), public...), []byte("\n"+keyName(role)+":")) {
			continue
		}
		seed := filepath.Join(dir, SeedFile(role))
		if path := present(dir, SeedFile(role)); path != "" {
			return added, fmt.Errorf("%s exists already, and %s has no key of %s: remove the file",
				path, KeysFile, role)
		}
		key, err := createSeed(seed)
		if err != nil {
			return added, fmt.Errorf("make the key of %s: %w", role, err)
		}
		public = append(bytes.TrimRight(public, "\n"), "\n"+keyName(role)+": "+key+"\n"...)
		if err := overwrite(path, string(public)); err != nil {
			return added, fmt.Errorf("add the key of %s: %w: remove %s and repeat", role, err, seed)
		}
		added = append(added, role)
	}
	return added, nil
}

// present returns the path of the first of the files that may be there, or "".
func present(dir string, names ...string) string {
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
	return ""
}

// makePrivate makes the directory if necessary. It returns an error if other users may enter it.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, keyDirMode); err != nil {
		return err
	}
	return CheckPrivate(dir)
}

// CheckPrivate returns an error if other users may enter the directory. A directory that is not
// there is no error: the functions that write a seed make it, for its owner alone.
func CheckPrivate(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Perm()&^keyDirMode != 0 {
		return fmt.Errorf("other users may enter %s and read the seeds: "+
			"chmod 700 %s, or name another directory", dir, dir)
	}
	return nil
}

// TeamKey returns the public key of the team's seed in the directory. The key is "" if the
// directory has no seed of the team.
func TeamKey(dir, team string) (public string, err error) {
	path := filepath.Join(dir, TeamSeedFile(team))
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the key of team %s: %w", team, err)
	}
	pair, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	if err == nil {
		public, err = pair.PublicKey()
	}
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return "", fmt.Errorf("%s has no seed of a user (begins with SU): "+
			"remove the file, and a new key is made", path)
	}
	return public, nil
}

// NewKey makes a key for a user of the broker. The seed is a secret.
func NewKey() (seed, public string, err error) {
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

// WriteTeamSeed writes the seed of a team to its TeamSeedFile in the directory, in place of an
// earlier one. It makes the directory if necessary. It returns an error if other users may enter
// the directory.
func WriteTeamSeed(dir, team, seed string) error {
	if err := makePrivate(dir); err != nil {
		return err
	}
	return overwrite(filepath.Join(dir, TeamSeedFile(team)), seed+"\n")
}

// WriteTeams writes TeamsFile in the directory, unless the file has this text already. It makes the
// directory if necessary. An existing file keeps its inode, because a container mounts the single
// file and would not see another.
func WriteTeams(dir string, teams []stream.Team) (changed bool, err error) {
	path := filepath.Join(dir, TeamsFile)
	want := Teams(teams)
	have, err := os.ReadFile(path)
	if err == nil && string(have) == want {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(dir, keyDirMode); err != nil {
		return false, err
	}
	return true, overwrite(path, want)
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
	seed, public, err := NewKey()
	if err != nil {
		return "", err
	}
	return public, create(path, seed+"\n")
}

// create writes a new file, also under a strict umask.
func create(path, text string) error { return write(path, text, os.O_EXCL) }

// overwrite writes a file, and keeps the inode of a file that is there.
func overwrite(path, text string) error { return write(path, text, os.O_TRUNC) }

// write writes a file with keyFileMode.
func write(path, text string, flag int) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, keyFileMode)
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
