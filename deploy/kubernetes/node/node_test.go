// Package node tests the scripts of this directory, as far as that needs no root and no build.
package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// script runs a script of this directory with a cache and a state directory of the test. The
// commands in place are found before those of the machine; a command is the text of a shell script.
func script(t *testing.T, place map[string]string, name string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for command, text := range place {
		err := os.WriteFile(filepath.Join(bin, command), []byte("#!/bin/sh\n"+text+"\n"), 0o755)
		if err != nil {
			t.Fatal(err)
		}
	}
	run := exec.CommandContext(t.Context(), "./"+name, args...)
	run.Env = append(os.Environ(), "WAGEWIRE_KUBERNETES_CACHE="+dir, "TMPDIR="+dir)
	output, err := run.CombinedOutput()
	return string(output), err
}

// quiet are a machine with root, with room, and without another cluster.
func quiet(more map[string]string) map[string]string {
	place := map[string]string{
		"id": "echo 0", "ip": "", "iptables-save": "", "df": "echo Avail; echo 100",
		"pgrep": "exit 1",
	}
	for command, text := range more {
		place[command] = text
	}
	return place
}

func TestOneLineSaysWhatToDo(t *testing.T) {
	// The port may be that of a real node, which serves the test as well.
	listener, err := net.Listen("tcp", "127.0.0.1:10248")
	if err == nil {
		t.Cleanup(func() { _ = listener.Close() })
	}
	for promise, row := range map[string]struct {
		place map[string]string
		run   []string
		says  string
	}{
		"up needs a word":     {run: []string{"up"}, says: "usage: up api|node [keda]"},
		"up knows its words":  {run: []string{"up", "pods"}, says: "usage: up api|node [keda]"},
		"down needs a word":   {run: []string{"down"}, says: "usage: down api|node"},
		"build needs a word":  {run: []string{"build"}, says: "usage: build fetch|api|node|keda|tidy"},
		"build knows a part":  {run: []string{"build", "pods"}, says: "unknown: pods"},
		"load needs an image": {run: []string{"load"}, says: "usage: load FILE... or load IMAGE..."},
		"load needs a node":   {run: []string{"load", "a.tar"}, says: "no node is up: run "},
		"an API server must be built": {place: quiet(nil), run: []string{"up", "api"},
			says: "etcd is not built: run "},
		"a build needs room": {place: quiet(map[string]string{"df": "echo Avail; echo 1"}),
			run: []string{"build", "api"}, says: "has 1 GB free, and 3 GB are needed: make room, or set " +
				"WAGEWIRE_KUBERNETES_CACHE to another disk"},
		"a running API server needs room": {place: quiet(map[string]string{"df": "echo Avail; echo 1"}),
			run: []string{"up", "api"}, says: "has 1 GB free, and 3 GB are needed: make room, or set TMPDIR"},
		"a node needs its addresses": {run: []string{"up", "node"},
			place: quiet(map[string]string{"ip": "echo 10.244.0.0/16 dev flannel.1"}),
			says:  "has a route to 10.244.0.0/16, which the node needs: end the other cluster first"},
		"a node is the only one": {run: []string{"up", "node"},
			place: quiet(map[string]string{"iptables-save": "echo ':KUBE-SERVICES - [0:0]'"}),
			says:  "has the packet filter of another Kubernetes: end that cluster first"},
		"no other Kubernetes is touched": {run: []string{"up", "node"},
			place: quiet(map[string]string{"pgrep": "echo 4711"}),
			says:  "this machine runs another Kubernetes: end it first, or set KUBECONFIG to it"},
		"a node needs its ports": {run: []string{"up", "node"}, place: quiet(nil),
			says: "port 10248 is in use, and a part of Kubernetes needs it: end what listens there"},
	} {
		t.Run(promise, func(t *testing.T) {
			output, err := script(t, row.place, row.run[0], row.run[1:]...)
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
				t.Errorf("the script ends with %v: want a failure", err)
			}
			if !strings.Contains(output, row.says) || strings.Count(output, "\n") != 1 {
				t.Errorf("the script says %q: want one line with %q", output, row.says)
			}
		})
	}
}

func TestDownOfNothingIsQuiet(t *testing.T) {
	for _, mode := range []string{"api", "node"} {
		if output, err := script(t, nil, "down", mode); output != "" || err != nil {
			t.Errorf("down %s: %v, says %q", mode, err, output)
		}
	}
}

// packed is what an image archive holds.
type packed struct {
	Names, Entrypoint, Environment []string
	User                           string
	Files                          map[string]string // mode, owner and content by path
}

func TestImageHoldsTheFilesAndNothingOfTheMachine(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	var archives [][]byte
	for _, name := range []string{"once.tar", "again.tar"} {
		archive := filepath.Join(dir, name)
		if output, err := script(t, nil, "image", "web:dev", archive, program+":/app"); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		content, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, content)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the same files make another archive the second time")
	}
	want := packed{
		Names: []string{"web:dev"}, Entrypoint: []string{"/app"}, Environment: []string{"PATH=/"},
		User: "65532:65532", Files: map[string]string{"./": "755 0:0 ", "./app": "755 0:0 text"},
	}
	if diff := cmp.Diff(want, unpack(t, archives[0])); diff != "" {
		t.Errorf("the archive differs (-want +got)\n%s", diff)
	}
}

// unpack reads an archive with one layer. It also compares the layer with its checksum.
func unpack(t *testing.T, archive []byte) packed {
	t.Helper()
	parts := untar(t, archive)
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	decode(t, parts["manifest.json"].content, &manifest)
	var config struct {
		Config struct {
			Entrypoint, Env []string
			User            string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, parts[manifest[0].Config].content, &config)
	layer := parts[manifest[0].Layers[0]].content
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256(layer))
	if diff := cmp.Diff([]string{sum}, config.RootFS.DiffIDs); diff != "" {
		t.Errorf("the checksum is of another layer (-want +got)\n%s", diff)
	}
	files := map[string]string{}
	for name, f := range untar(t, layer) {
		files[name] = fmt.Sprintf("%o %d:%d %s", f.Mode, f.Uid, f.Gid, f.content)
	}
	return packed{
		Names: manifest[0].RepoTags, Entrypoint: config.Config.Entrypoint,
		Environment: config.Config.Env, User: config.Config.User, Files: files,
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// file is an entry of a tar archive.
type file struct {
	*tar.Header
	content []byte
}

func untar(t *testing.T, archive []byte) map[string]file {
	t.Helper()
	files := map[string]file{}
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = file{header, content}
	}
}
