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
}

// buildOperator builds the operator's command for this machine, and returns its path.
func buildOperator(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "wagewire")
	ours().with("GOWORK=off").must(t, "go", "build", "-C", repository+"/deploy", "-o", path,
		"./cmd/wagewire")
	return path
}

// imagesOf returns the images of a flag. Without the flag it packs images from the tree at a path
// for the one-node cluster.
func (s surroundings) imagesOf(t *testing.T, flag, tree, tag string) images {
	t.Helper()
	if flag != "" {
		return parseImages(t, flag)
	}
	return s.giveToNode(t, tree, tag)
}

// giveToNode packs images with the tag from the tree at a path, and gives the images to the
// one-node cluster.
func (s surroundings) giveToNode(t *testing.T, tree, tag string) images {
	t.Helper()
	t.Logf("packing images with the tag %s", tag)
	s.must(t, "make", "-C", tree, "archives", "IMAGES=wagewire", "VERSION="+tag)
	archives, err := filepath.Glob(filepath.Join(tree, "bin", "archives", "*.tar"))
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, node+"load", archives...)
	return images{repository: "wagewire", tag: tag}
}

// parseImages reads a flag such as images.example.org/wagewire:v1.
func parseImages(t *testing.T, text string) images {
	t.Helper()
	slash := strings.LastIndex(text, "/")
	colon := strings.LastIndex(text, ":")
	if colon <= slash { // a colon before the slash begins the port of the registry
		t.Fatalf("-images %s: give a prefix and a tag, such as images.example.org/wagewire:v1", text)
	}
	return images{
		registry: text[:max(0, slash)], repository: text[slash+1 : colon], tag: text[colon+1:],
	}
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
	return []string{
		"--set", "image.registry=" + i.registry, "--set", "image.repository=" + i.repository,
		"--set-string", "image.tag=" + i.tag,
	}
}
