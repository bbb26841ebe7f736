//go:build containers

package compose

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestContainersAreNotStartedAndUpSaysWhy(t *testing.T) {
	for name, row := range map[string]struct {
		// surroundings makes something wrong, and returns variables for up.
		surroundings func(t *testing.T, s *stack) []string
		want         string // DIR/ is the directory of the secrets, PORT of the broker's
	}{
		"a secret is missing": {func(t *testing.T, _ *stack) []string {
			dir := copyOfTheDemonstration(t)
			check(t, os.Remove(filepath.Join(dir, "nats_link.nk")))
			return []string{"SECRETS_DIR=" + dir}
		}, "up: DIR/nats_link.nk is missing: write it, or set SECRETS_DIR in .env to the directory that has it"},
		"a secret is its owner's alone": {func(t *testing.T, _ *stack) []string {
			dir := copyOfTheDemonstration(t)
			check(t, os.Chmod(filepath.Join(dir, "truv.secret"), 0o600))
			return []string{"SECRETS_DIR=" + dir}
		}, "up: DIR/truv.secret cannot be read by the containers, which have a user of their own: chmod 644 DIR/truv.secret"},
		"a port is in use": {func(t *testing.T, s *stack) []string {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp",
				fmt.Sprintf("127.0.0.1:%d", s.ports["NATS_PORT"]))
			check(t, err)
			t.Cleanup(func() { _ = l.Close() })
			return nil
		}, "up: port PORT of 127.0.0.1 is in use: end what listens there, or set another NATS_PORT in .env"},
		"no engine answers": {func(*testing.T, *stack) []string {
			return []string{"DOCKER_HOST=unix:///nonexistent.sock"}
		}, "up: no Docker engine answers: start Docker, or run all of it without: make run ("},
		"there is no docker compose": {func(t *testing.T, _ *stack) []string {
			dir := dockerAlone(t)
			for _, tool := range []string{"bash", "dirname", "env", "find", "sed", "sh", "sort",
				"tail"} {
				path, err := exec.LookPath(tool)
				check(t, err)
				check(t, os.Symlink(path, filepath.Join(dir, tool)))
			}
			return []string{"PATH=" + dir}
		}, "up: there is no docker compose: install Docker with its compose plugin, or run all of it without: make run"},
		"the broker has no room": {func(t *testing.T, s *stack) []string {
			file := filepath.Join(t.TempDir(), "small.yml")
			check(t, os.WriteFile(file,
				[]byte("volumes: {nats: {driver_opts: {type: tmpfs, device: tmpfs, o: size=100k}}}\n"), 0o600))
			s.arguments = append(s.arguments, "-f", composeFile, "-f", file)
			return nil
		}, "up: the volume of the broker has no room: make some where Docker keeps its data"},
		"the file of variables is missing": {func(_ *testing.T, s *stack) []string {
			s.arguments = append(s.arguments, "--env-file", "mine.env")
			return nil
		}, "up: mine.env is missing: write it, .env.example has every variable"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			arguments := s.arguments
			variables := row.surroundings(t, s)
			_, stderr, err := s.up(variables...)
			s.arguments = arguments
			if err == nil {
				t.Error("it started")
			}
			_, dir, _ := strings.Cut(strings.Join(variables, ""), "SECRETS_DIR=")
			want := strings.NewReplacer("DIR/", dir+"/", "PORT of",
				fmt.Sprintf("%d of", s.ports["NATS_PORT"])).Replace(row.want)
			if first, _, _ := strings.Cut(stderr, "\n"); !strings.HasPrefix(first, want) {
				t.Errorf("it said first\n%s\nwant\n%s", stderr, want)
			}
		})
	}
}

// copyOfTheDemonstration is a directory with the same secrets.
func copyOfTheDemonstration(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	check(t, os.CopyFS(dir, os.DirFS(filepath.Join(repository, demoDir))))
	return dir
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
