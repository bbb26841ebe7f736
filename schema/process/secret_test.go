package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

const (
	first  = "first-secret-of-many"
	second = "the-second-secret-of-many"
	third  = "and-here-is-the-third-secret"
	short  = "too-short"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func secretFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pinwheel.secrets")
	write(t, path, text)
	return path
}

func open(t *testing.T, path string) *process.SecretFile {
	t.Helper()
	f, err := process.OpenSecretFile("PINWHEEL_SECRETS_FILE", path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// active returns the revealed secrets, because a difference between secrets does not print.
func active(f *process.SecretFile) (plain []string, err error) {
	secrets, err := f.Active()
	for _, s := range secrets {
		plain = append(plain, s.Reveal())
	}
	return plain, err
}

func wantActive(t *testing.T, f *process.SecretFile, want ...string) {
	t.Helper()
	got, err := active(f)
	if err != nil {
		t.Errorf("Active: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("active secrets (-want +got):\n%s", diff)
	}
}

func TestTheSecretsOfAFile(t *testing.T) {
	for promise, test := range map[string]struct {
		text string
		want []string
	}{
		"are its lines": {
			first + "\n" + second + "\n", []string{first, second},
		},
		"need no line end": {first, []string{first}},
		"may stand between empty lines": {
			"\n\n" + first + "\n\n" + second + "\n\n", []string{first, second},
		},
		"lose the white space around them": {
			"  " + first + "\t\r\n" + second + "\r\n", []string{first, second},
		},
		"keep the white space within": {
			"a secret of some words\n", []string{"a secret of some words"},
		},
		"are all active, in the file's order": {
			third + "\n" + first + "\n" + second, []string{third, first, second},
		},
		"may be as short as the shortest": {
			strings.Repeat("x", process.SecretBytesMin),
			[]string{strings.Repeat("x", process.SecretBytesMin)},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			wantActive(t, open(t, secretFile(t, test.text)), test.want...)
		})
	}
}

func TestAFileIsNotOpened(t *testing.T) {
	for promise, test := range map[string]struct {
		path func(*testing.T) string
		says []string
	}{
		"without a name": {
			func(*testing.T) string { return "" },
			[]string{"PINWHEEL_SECRETS_FILE is not set", "one secret a line"},
		},
		"that is not there": {
			func(t *testing.T) string { return filepath.Join(t.TempDir(), "gone") },
			[]string{"PINWHEEL_SECRETS_FILE: ", "gone"},
		},
		"that is a directory": {
			func(t *testing.T) string { return t.TempDir() },
			[]string{
				"PINWHEEL_SECRETS_FILE: ", "is a directory: ",
				"put the file in its place and create the container again",
			},
		},
		"that is empty": {
			func(t *testing.T) string { return secretFile(t, "") },
			[]string{"PINWHEEL_SECRETS_FILE: ", "pinwheel.secrets", "holds no secret"},
		},
		"of empty lines": {
			func(t *testing.T) string { return secretFile(t, " \n\t\n\r\n") },
			[]string{"PINWHEEL_SECRETS_FILE: ", "pinwheel.secrets", "holds no secret"},
		},
		"with a short secret": {
			func(t *testing.T) string { return secretFile(t, first+"\n"+short+"\n") },
			[]string{
				"PINWHEEL_SECRETS_FILE: ", "pinwheel.secrets, line 2: ", "shorter than 16 bytes",
			},
		},
		"with a padded secret": {
			func(t *testing.T) string { return secretFile(t, short+strings.Repeat(" ", 20)) },
			[]string{"line 1: ", "shorter than 16 bytes"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			f, err := process.OpenSecretFile("PINWHEEL_SECRETS_FILE", test.path(t))
			if err == nil {
				t.Fatalf("it is opened: %v", f)
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not say %q", err, want)
				}
			}
			for _, secret := range []string{first, short} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error %q shows a secret", err)
				}
			}
		})
	}
}

func TestASecretIsRotatedWithoutARestart(t *testing.T) {
	path := secretFile(t, first+"\n")
	f := open(t, path)
	wantActive(t, f, first)
	write(t, path, first+"\n"+second+"\n")
	wantActive(t, f, first, second)
	wantActive(t, f, first, second)
	write(t, path, second+"\n")
	wantActive(t, f, second)
}

func TestAFileMayBeReplacedByAnother(t *testing.T) {
	path := secretFile(t, first)
	f := open(t, path)
	next := filepath.Join(filepath.Dir(path), "next")
	write(t, next, second)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	wantActive(t, f, second)
}

func TestALinkMayPointToAnotherFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "v1"), first)
	write(t, filepath.Join(dir, "v2"), first+"\n"+second)
	link := filepath.Join(dir, "secrets")
	if err := os.Symlink("v1", link); err != nil {
		t.Fatal(err)
	}
	f := open(t, link)
	next := filepath.Join(dir, "next")
	if err := os.Symlink("v2", next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, link); err != nil {
		t.Fatal(err)
	}
	wantActive(t, f, first, second)
}

func TestAChangeForTheWorseKeepsTheSecretsBefore(t *testing.T) {
	for promise, test := range map[string]struct {
		worsen func(t *testing.T, path string)
		says   string
	}{
		"emptied": {func(t *testing.T, path string) { write(t, path, "") }, "holds no secret"},
		"shortened": {
			func(t *testing.T, path string) { write(t, path, short) }, "shorter than 16 bytes",
		},
		"half wrong": {
			func(t *testing.T, path string) { write(t, path, third+"\n"+short) }, "line 2",
		},
		"removed": {func(t *testing.T, path string) { remove(t, path) }, "no such file"},
		"a directory": {
			func(t *testing.T, path string) { remove(t, path); mkdir(t, path) }, "is a directory",
		},
	} {
		t.Run(promise, func(t *testing.T) {
			path := secretFile(t, first+"\n"+second)
			f := open(t, path)
			test.worsen(t, path)

			got, err := active(f)
			if err == nil {
				t.Fatal("Active returns no error")
			}
			for _, want := range []string{"PINWHEEL_SECRETS_FILE", path, test.says} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not say %q", err, want)
				}
			}
			for _, secret := range []string{short, third} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error %q shows a secret", err)
				}
			}
			if diff := cmp.Diff([]string{first, second}, got); diff != "" {
				t.Errorf("active secrets (-want +got):\n%s", diff)
			}
			wantActive(t, f, first, second) // without the error, which Active returns once
			wantActive(t, f, first, second)

			if promise == "a directory" {
				remove(t, path)
			}
			write(t, path, second+"\n"+third+"\n")
			wantActive(t, f, second, third)
		})
	}
}

func TestAnErrorIsReturnedAgainAfterItsRepair(t *testing.T) {
	path := secretFile(t, first)
	f := open(t, path)
	for range 2 {
		write(t, path, short)
		if _, err := f.Active(); err == nil {
			t.Error("a short secret is not reported")
		}
		write(t, path, first+"\n"+second)
		wantActive(t, f, first, second)
	}
}

func TestADifferentErrorIsReturnedToo(t *testing.T) {
	path := secretFile(t, first)
	f := open(t, path)
	for _, text := range []string{short, ""} {
		write(t, path, text)
		if _, err := f.Active(); err == nil {
			t.Errorf("%d bytes are not reported", len(text))
		}
		wantActive(t, f, first)
	}
}

func TestAFileThatComesBackUnchangedIsReadAgain(t *testing.T) {
	path := secretFile(t, first)
	f := open(t, path)
	for range 2 {
		away := path + ".away"
		if err := os.Rename(path, away); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Active(); err == nil {
			t.Error("Active returns no error although the file is missing")
		}
		if err := os.Rename(away, path); err != nil {
			t.Fatal(err)
		}
		wantActive(t, f, first)
	}
}

func TestAnActiveSecretDoesNotPrint(t *testing.T) {
	secrets, err := open(t, secretFile(t, first)).Active()
	if err != nil {
		t.Fatal(err)
	}
	type config struct{ Secrets []schema.Secret }
	text := fmt.Sprintf("%v %+v %#v", secrets, secrets, config{secrets})
	if strings.Contains(text, first) {
		t.Errorf("the secret prints: %s", text)
	}
}

func TestManyGoroutinesReadSecretsAtATime(t *testing.T) {
	path := secretFile(t, first)
	f := open(t, path)
	done := make(chan error)
	const readers = 8
	for range readers {
		go func() {
			var failed error
			for range 50 {
				if got, err := active(f); err == nil && len(got) != 1 && len(got) != 2 {
					failed = fmt.Errorf("%d secrets are active", len(got))
				}
			}
			done <- failed
		}()
	}
	for range 20 {
		write(t, path, first+"\n"+second)
		write(t, path, first)
	}
	for range readers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	write(t, path, third) // its size differs, because the times of two changes may be equal
	wantActive(t, f, third)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
