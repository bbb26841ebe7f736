package streamtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// The variables of a test binary that is a nats-server: the directory of the store, the port, and
// how large the kernel lets a file become.
const (
	dirVariable          = "WAGEWIRE_TEST_BROKER"
	portVariable         = "WAGEWIRE_TEST_BROKER_PORT"
	fileBytesMaxVariable = "WAGEWIRE_TEST_BROKER_FILE_BYTES_MAX"
)

// readyLine is the first line of a server process.
const readyLine = "ready\n"

// ServeProcess is a nats-server if StartProcess of another test binary started this one. It returns
// when the server has stopped, with the exit code of the process. asked is false in all other test
// binaries. The TestMain of a package with StartProcess calls ServeProcess first.
func ServeProcess(getenv func(string) string) (code int, asked bool) {
	dir := getenv(dirVariable)
	if dir == "" {
		return 0, false
	}
	if err := serveProcess(dir, getenv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func serveProcess(dir string, getenv func(string) string) error {
	port, err := strconv.Atoi(getenv(portVariable))
	if err != nil {
		return fmt.Errorf("%s: %w", portVariable, err)
	}
	if err := limitFiles(getenv(fileBytesMaxVariable)); err != nil {
		return fmt.Errorf("%s: %w", fileBytesMaxVariable, err)
	}
	server, err := Start(Config{Dir: dir, Port: port})
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stderr, readyLine)
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Stop()
	return nil
}

// limitFiles makes a write past a size an error of the write.
func limitFiles(bytesMax string) error {
	if bytesMax == "" {
		return nil
	}
	limit, err := strconv.ParseUint(bytesMax, 10, 63)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ) // by default the write ends the process
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
}

// StartProcess starts a nats-server in a process of its own. The server ends with the test, or when
// the test calls stop, which returns after the end.
//
// With fileBytesMax the kernel writes no file of the server past that size. The limit simulates a
// full disk as far as write(2) goes: a write ends in the middle of a block, the next write is an
// error (EFBIG, not ENOSPC), and nothing tells the server before. Unlike on a full disk, each file
// is full by itself, and small files can still be made. The test needs neither root nor a file
// system of its own.
func StartProcess(t testing.TB, dir string, port, fileBytesMax int) (stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), self) //nolint:gosec // it is this binary
	cmd.Env = []string{dirVariable + "=" + dir, portVariable + "=" + strconv.Itoa(port)}
	if fileBytesMax > 0 {
		cmd.Env = append(cmd.Env, fileBytesMaxVariable+"="+strconv.Itoa(fileBytesMax))
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	firstLine, ended := follow(t, cmd)
	stop = sync.OnceFunc(func() {
		_ = stdin.Close()
		select {
		case <-ended:
		case <-Late(t):
			_ = cmd.Process.Kill()
			<-ended
			t.Error("the test binary's time is up, and the broker has not ended")
		}
	})
	t.Cleanup(stop)
	select {
	case line := <-firstLine:
		if line != readyLine {
			t.Fatalf("the broker says %q", line)
		}
	case <-Late(t):
		t.Fatal("the test binary's time is up, and the broker is not ready")
	}
	return stop
}

// follow starts the command. It returns the first line on standard error, and a channel that is
// closed when the command has ended.
func follow(t testing.TB, cmd *exec.Cmd) (firstLine <-chan string, ended <-chan struct{}) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	end := make(chan struct{})
	go func() {
		defer close(end)
		lines := bufio.NewReader(stderr)
		line, _ := lines.ReadString('\n')
		first <- line
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
	}()
	return first, end
}
