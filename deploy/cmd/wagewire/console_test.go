package main

import (
	"net"
	"strings"
	"testing"
)

func TestAConsoleThatCannotListen(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	free := []string{"CONSOLE_ADDR", "127.0.0.1:0", "LOG_LEVEL", "error"}
	for promise, row := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"names the variable without a port": {
			[]string{"CONSOLE_ADDR", "localhost"}, nil, "CONSOLE_ADDR: address localhost: missing port",
		},
		"names the flag without a port": {
			free, []string{"--addr", "localhost"}, "--addr: address localhost: missing port",
		},
		"names the variable of a port that is taken": {
			[]string{"CONSOLE_ADDR", addr}, nil, "CONSOLE_ADDR: listen tcp " + addr,
		},
		"names the flag of a port that is taken": {
			free, []string{"--addr", addr}, "--addr: listen tcp " + addr,
		},
		"names the admin listener": {
			append([]string{"ADMIN_ADDR", addr}, free...), nil, "ADMIN_ADDR: listen tcp " + addr,
		},
		"names the flag that nobody can use": {free, []string{"--reveal"}, "CONSOLE_REVEAL: nobody"},
	} {
		t.Run(promise, func(t *testing.T) {
			got := wagewire(t, env(row.env...), append([]string{"console"}, row.args...)...)
			if got.code != 1 || !strings.Contains(got.stderr, row.want) {
				t.Errorf("exit %d, stderr %q, want %q", got.code, got.stderr, row.want)
			}
			if strings.Contains(got.stderr, "console at") {
				t.Errorf("it says that it is there: %s", got.stderr)
			}
		})
	}
}
