// Package docker_test reads the Dockerfile, so the rules for images are also checked on a machine
// without a Docker engine.
package docker_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// instructions returns the instructions of the Dockerfile, a line each, without comments.
func instructions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?im)^#\s*(syntax|escape|check)\s*=`).Match(text) {
		t.Error("the Dockerfile has a directive: a registry would have to answer")
	}
	text = regexp.MustCompile(`(?m)^(#.*)?\n`).ReplaceAll(text, nil)
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\\\n", " ")), "\n")
}

func TestAnImage(t *testing.T) {
	stages := map[string]string{} // instructions by stage; the last stage has no name
	name := ""
	for _, line := range instructions(t) {
		if from := regexp.MustCompile(`^FROM \S+(?: AS (\S+))?$`).FindStringSubmatch(line); from != nil {
			name = from[1]
		}
		stages[name] += line + "\n"
	}
	for promise, test := range map[string]struct {
		stage, has string
	}{
		"has no rights":          {"base", `(?m)^USER [1-9]\d*:[1-9]\d*$`},
		"starts without a shell": {"base", `(?m)^ENTRYPOINT \["/app"\]$`},
		"has a health check without a shell": {"base",
			`(?m)^HEALTHCHECK .*--timeout=5s .*CMD \["/app", "healthcheck"\]$`},
		"serves health and metrics": {"base", `(?m)^ENV ADMIN_ADDR=:9090$`},
		"has a version": {"base",
			`org\.opencontainers\.image\.version="\$\{VERSION\}"`},
		"from a binary is the base and the file": {"prebuilt",
			`^FROM base AS prebuilt\nARG .*\nCOPY \$\{BINARY\} /app\n$`},
		"from source is the base and the file": {"",
			`\nFROM base\nARG COMMAND\nCOPY --from=build \S+ /app\n$`},
	} {
		t.Run(promise, func(t *testing.T) {
			if !regexp.MustCompile(test.has).MatchString(stages[test.stage]) {
				t.Errorf("stage %q has no %s:\n%s", test.stage, test.has, stages[test.stage])
			}
		})
	}
}

// The golang image has no make, so the Dockerfile repeats the command of the Makefile. Both must
// build the same binary.
func TestTheImageAndMakeBuildAlike(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	dockerfile := strings.Join(instructions(t), "\n")
	for _, flags := range []string{
		"CGO_ENABLED=0", "GOWORK=off", "-trimpath -tags grpcnotrace",
		"-s -w -X github.com/wagewire/wagewire/schema/process.version=",
		"for m in ingress workers deploy; do",
	} {
		if !strings.Contains(string(makefile), flags) || !strings.Contains(dockerfile, flags) {
			t.Errorf("%q is not in both", flags)
		}
	}
}
