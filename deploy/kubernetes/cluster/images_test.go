//go:build cluster

package cluster

import (
	"path/filepath"
	"strings"
	"testing"
)

// repository is the root of the working tree.
const repository = "../../.."

// images are the images of a version of Wagewire.
type images struct {
	// registry and repository begin the name of each image, tag ends it.
	registry, repository, tag string
	// nats is the name of the image of nats-server, empty for the one of the chart.
	nats string
}

// buildCommands builds every command of the tree at a path as a static binary, and returns the
// directory of the binaries.
func buildCommands(t *testing.T, tree string) (dir string) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(t.TempDir(), "bin"))
	if err != nil {
		t.Fatal(err)
	}
	static := ours().with("CGO_ENABLED=0", "GOWORK=off", "GOOS=linux")
	for _, module := range []string{"ingress", "workers", "deploy"} {
		t.Logf("building the commands of %s", module)
		static.must(t, "go", "build", "-C", filepath.Join(tree, module), "-trimpath",
			"-ldflags=-s -w", "-o", dir+"/", "./cmd/...")
	}
	static.must(t, "go", "build", "-C", filepath.Join(tree, "schema"), "-trimpath",
		"-ldflags=-s -w", "-o", dir+"/", "github.com/nats-io/nats-server/v2")
	return dir
}

// giveToNode packs the binaries of a directory into images with the tag, and gives the images to
// the one-node cluster.
func (s surroundings) giveToNode(t *testing.T, bin, tag string) images {
	t.Helper()
	binaries, err := filepath.Glob(filepath.Join(bin, "*"))
	if err != nil {
		t.Fatal(err)
	}
	archives := t.TempDir()
	load := []string{}
	for _, binary := range binaries {
		command := filepath.Base(binary)
		archive := filepath.Join(archives, command+".tar")
		path := "/app"
		if command == "nats-server" {
			path = "/nats-server"
		}
		s.must(t, node+"image", "wagewire/"+command+":"+tag, archive, binary+":"+path)
		load = append(load, archive)
	}
	s.must(t, node+"load", load...)
	t.Logf("gave %d images with the tag %s to the node", len(load), tag)
	return images{repository: "wagewire", tag: tag, nats: "wagewire/nats-server:" + tag}
}

// parseImages reads a flag such as images.example.org/wagewire:v1.
func parseImages(t *testing.T, text string) images {
	t.Helper()
	prefix, tag, found := strings.Cut(text, ":")
	if i := strings.LastIndex(text, ":"); i > strings.LastIndex(text, "/") {
		prefix, tag, found = text[:i], text[i+1:], true
	}
	if !found {
		t.Fatalf("-images %s: give a prefix and a tag, such as images.example.org/wagewire:v1", text)
	}
	i := images{repository: prefix, tag: tag}
	if slash := strings.LastIndex(prefix, "/"); slash >= 0 {
		i.registry = prefix[:slash]
		i.repository = prefix[slash+1:]
	}
	return i
}

// name returns the name of the image of a command.
func (i images) name(command string) string {
	name := i.repository + "/" + command + ":" + i.tag
	if i.registry != "" {
		name = i.registry + "/" + name
	}
	return name
}

// values are the arguments of helm that choose the images.
func (i images) values() []string {
	list := []string{
		"--set", "image.registry=" + i.registry, "--set", "image.repository=" + i.repository,
		"--set-string", "image.tag=" + i.tag,
	}
	if i.nats != "" {
		repository, tag, _ := strings.Cut(i.nats, ":")
		list = append(list, "--set", "nats.image.repository="+repository,
			"--set-string", "nats.image.tag="+tag)
	}
	return list
}
