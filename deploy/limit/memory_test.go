package limit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/docker/go-units"

	"github.com/wagewire/wagewire/deploy/limit"
	"github.com/wagewire/wagewire/schema"
)

// installations are the files that give a server of NATS its memory. Each of the patterns has one
// group: the limit that the system enforces, the limit that Go's garbage collector keeps, and the
// limit that wagewire is told.
var installations = map[string]struct {
	file                      string
	memory, collector, toldAs string
	told                      string // the file of toldAs
}{
	"docker-compose.yml": {
		"docker-compose.yml", `(?s)\n  nats:\n.*?mem_limit: (\S+)`,
		`SERVER_NAME: nats, GOMEMLIMIT: (\w+)`, `NATS_MEMORY-(\w+)`, "docker-compose.yml",
	},
	"the cluster of docker-compose.yml": {
		"deploy/compose/cluster.yml", `(?s)x-node:.*?mem_limit: (\S+)`,
		`SERVER_NAME: nats-3, GOMEMLIMIT: (\w+)`, `NATS_MEMORY-(\w+)`, "docker-compose.yml",
	},
	"the NATS of the chart": {
		"deploy/kubernetes/chart/values.yaml",
		`(?s)\nnats:\n.*?\n  resources:\n    requests: [^\n]*\n    limits: {memory: (\w+)}`,
		`goMemoryLimit: (\w+)`, `\n  memory: (\w+)`, "deploy/kubernetes/chart/values.yaml",
	},
	"the official chart of NATS": {
		"deploy/kubernetes/nats-values.yaml", `(?s)resources:\n.*?limits: {memory: (\w+)}`,
		`GOMEMLIMIT: (\w+)`, `\n  memory: (\w+)`, "deploy/kubernetes/chart/values.yaml",
	},
}

// sizeIn is the size that the pattern finds in a file of the repository.
func sizeIn(t *testing.T, file, pattern string) uint64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has nothing like %s", file, pattern)
	}
	text = found[1]
	if bytes.HasSuffix(text, []byte("i")) {
		text = append(bytes.Clone(text), 'B') // Kubernetes writes no B
	}
	size, err := units.RAMInBytes(string(text))
	if err != nil || size <= 0 {
		t.Fatalf("%s: %q is no size", file, found[1])
	}
	return uint64(size)
}

func TestWhatTheStreamsMayHoldFitsTheMemoryOfNATS(t *testing.T) {
	most := limit.MessagesMax(schema.DefaultTopology())
	for name, i := range installations {
		memory := sizeIn(t, i.file, i.memory)
		collector := sizeIn(t, i.file, i.collector)
		for promise, holds := range map[string]bool{
			"the messages of full streams fit":         limit.Fits(most, memory),
			"wagewire knows the memory":                sizeIn(t, i.told, i.toldAs) == memory,
			"the garbage collector keeps them":         limit.Memory(most) <= collector,
			"the garbage collector leaves room":        float64(collector) <= 0.85*float64(memory),
			"the garbage collector wastes no memory":   float64(collector) >= 0.8*float64(memory),
			"twice as many messages would not fit":     !limit.Fits(2*most, memory),
			"the memory of former releases was short":  !limit.Fits(most, 1<<30),
			"streams without messages need some of it": limit.Memory(0) > 0,
		} {
			if !holds {
				t.Errorf("%s: it does not hold that %s", name, promise)
			}
		}
	}
}

func TestEachStreamThatGrowsWithTrafficHasALimitOfMessages(t *testing.T) {
	for _, s := range schema.DefaultTopology().Streams {
		// Of a stream with the last message of each subject, the subjects are the limit, and
		// reports and advisories are small against the other streams.
		isBounded := s.LastOnly || s.Name == schema.AdvisoriesStream ||
			s.Name == schema.ClosuresStream
		if (s.MaxMessages > 0) == isBounded {
			t.Errorf("stream %s has the limit %d", s.Name, s.MaxMessages)
		}
	}
}
