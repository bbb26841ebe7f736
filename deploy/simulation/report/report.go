// Package report is what a simulation tells the program that started it: a file of JSON. Package
// deploy/simulation runs one schedule of faults and writes the file. Package
// deploy/simulation/seeds starts many simulations and reads the files.
package report

import (
	"encoding/json"
	"fmt"
	"os"
)

// Report is the result of a simulation.
type Report struct {
	Seed uint64 `json:"seed"`
	// Running is true in a report from before the run, with nothing but the seed and the steps. If
	// the process ends without another report, the simulation crashed, and the steps are known.
	Running bool `json:"running,omitempty"`
	// Hours is how much virtual time has passed.
	Hours       float64 `json:"hours"`
	Webhooks    int     `json:"webhooks"`
	Events      int     `json:"events"`
	Completions int     `json:"completions"`
	// Faults is the number of faults in the schedule, without those left out. Fired is how many of
	// them took effect, and Kills how many processes were killed.
	Faults int `json:"faults"`
	Fired  int `json:"fired"`
	Kills  int `json:"kills"`
	// Waits is how many steps of ladders were taken.
	Waits int `json:"waits"`
	// Steps has a line for each fault of the whole schedule, also for those left out. The index of
	// the line is the number of the fault.
	Steps      []string    `json:"steps"`
	Violations []Violation `json:"violations"`
}

// Violation is a broken promise.
type Violation struct {
	// What is the name of the promise, such as "lost".
	What string `json:"what"`
	// ID is the event, account or process that the violation is about.
	ID  string `json:"id"`
	Why string `json:"why"`
}

// Write stores the report in the file. Another report in the file is replaced in one step: whenever
// the process dies, the file has the one or the other.
func (r Report) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report of seed %d: %w", r.Seed, err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the report of seed %d: %w", r.Seed, err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("write the report of seed %d: %w", r.Seed, err)
	}
	return nil
}

// Read reads the report in the file. The error wraps fs.ErrNotExist if none was written.
func Read(path string) (r Report, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Report{}, fmt.Errorf("read the report: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("read the report %s: %w", path, err)
	}
	return r, nil
}
