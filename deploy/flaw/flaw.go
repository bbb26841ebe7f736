// Package flaw holds mistakes to build in on purpose. A harness that proves the line must find each
// mistake. The storm is package deploy/chaos: real processes, killed and flooded. The simulation is
// package deploy/simulation: the line in virtual time.
//
//	flaw.go   Flaw, and the go command with a flaw built in
//	table.go  all flaws
package flaw

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wagewire/wagewire/deploy/command"
)

// Flaw is a mistake in the line.
type Flaw struct {
	// Name is a word for the command line.
	Name string
	// Does says what is wrong with the build.
	Does string
	// Storm is true if the storm must find the flaw, and Simulated if the simulation must.
	Storm     bool
	Simulated bool
	// Edits make the flaw. A flaw without edits is a flaw of the streams: the harness provisions
	// other streams.
	Edits []Edit
}

// Edit is a change of a file.
type Edit struct {
	// File is the path from the root of the repository.
	File string
	// Old is the text that New replaces. The file must have Old once.
	Old string
	New string
}

// All returns all flaws, by name.
func All() []Flaw {
	all := slices.Clone(table)
	slices.SortFunc(all, func(a, b Flaw) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Names returns the names of all flaws, sorted.
func Names() []string { return namesOf(func(Flaw) bool { return true }) }

// OfStorm returns the names of the flaws that the storm must find, sorted.
func OfStorm() []string { return namesOf(func(f Flaw) bool { return f.Storm }) }

// OfSimulation returns the names of the flaws that the simulation must find, sorted.
func OfSimulation() []string { return namesOf(func(f Flaw) bool { return f.Simulated }) }

func namesOf(isChosen func(Flaw) bool) []string {
	var names []string
	for _, f := range All() {
		if isChosen(f) {
			names = append(names, f.Name)
		}
	}
	return names
}

// Lookup returns the flaw with the name. ok is false if there is none.
func Lookup(name string) (f Flaw, ok bool) {
	i := slices.IndexFunc(table, func(f Flaw) bool { return f.Name == name })
	if i < 0 {
		return Flaw{}, false
	}
	return table[i], true
}

// Overlay writes the edited copies of the flaw's files to dir, and the file for the option -overlay
// of the go command. root is the root of the repository. path is "" for a flaw without edits.
func Overlay(root, dir, name string) (path string, err error) {
	f, ok := Lookup(name)
	if !ok {
		return "", fmt.Errorf("no flaw %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return f.overlay(root, dir)
}

// Go runs the go command in the repository at root, with a flaw built in. name is the name of the
// flaw, or "". dir takes the edited files. args are a subcommand and its arguments.
func Go(ctx context.Context, root, dir, name string, environ []string, args ...string) error {
	if name != "" {
		overlay, err := Overlay(root, dir, name)
		if err != nil {
			return err
		}
		if overlay != "" {
			args = slices.Insert(args, 1, "-overlay", overlay)
		}
	}
	cmd := command.InOwnGroup(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(slices.Clone(environ), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (f Flaw) overlay(root, dir string) (path string, err error) {
	if len(f.Edits) == 0 {
		return "", nil
	}
	root, err = filepath.Abs(root) // the go command may run in another directory
	if err != nil {
		return "", err
	}
	texts, err := f.apply(root)
	if err != nil {
		return "", fmt.Errorf("build in the flaw %s: %w", f.Name, err)
	}
	replace := map[string]string{}
	for original, text := range texts {
		edited := filepath.Join(dir, "flaw-"+strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(edited, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[original] = edited
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}

// apply returns the edited texts by the path of their file.
func (f Flaw) apply(root string) (texts map[string]string, err error) {
	texts = map[string]string{}
	for _, edit := range f.Edits {
		file := filepath.Join(root, filepath.FromSlash(edit.File))
		text, ok := texts[file]
		if !ok {
			read, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			text = string(read)
		}
		if n := strings.Count(text, edit.Old); n != 1 {
			return nil, fmt.Errorf("%s must have this text once, and has it %d times:\n%s",
				edit.File, n, edit.Old)
		}
		texts[file] = strings.Replace(text, edit.Old, edit.New, 1)
	}
	return texts, nil
}
