package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	f, err := process.OpenSecretFile("PINWHEEL_SECRETS_FILE", path, process.ProviderURL{})
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
		"with a short secret": {
			func(t *testing.T) string { return secretFile(t, first+"\n"+short+"\n") },
			[]string{
				"PINWHEEL_SECRETS_FILE: ", "pinwheel.secrets: line 2: ", "shorter than 16 bytes",
			},
		},
		"that is no file of secrets by its size": {
			func(t *testing.T) string { return secretFile(t, strings.Repeat(first+"\n", 9<<10)) },
			[]string{"PINWHEEL_SECRETS_FILE: ", "pinwheel.secrets: ", "longer than 64 KiB"},
		},
		"that is a device": {
			func(*testing.T) string { return os.DevNull },
			[]string{"PINWHEEL_SECRETS_FILE: ", os.DevNull + " is no regular file"},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			f, err := process.OpenSecretFile("PINWHEEL_SECRETS_FILE", test.path(t),
				process.ProviderURL{})
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

// All of these changes keep the size. Some keep the time too, as tools that copy files with their
// times do.
func TestAChangeIsFoundByItsContent(t *testing.T) {
	other := strings.ToUpper(first)
	at := time.Now().Add(-time.Hour)
	for promise, change := range map[string]func(t *testing.T, path string){
		"in place": func(t *testing.T, path string) { write(t, path, other) },
		"in place, at the same time": func(t *testing.T, path string) {
			write(t, path, other)
			keepTime(t, path, at)
		},
		"by another file of the same time": func(t *testing.T, path string) {
			next := path + ".next"
			write(t, next, other)
			keepTime(t, next, at)
			rename(t, next, path)
		},
		"by a link to another directory, as Kubernetes does": func(t *testing.T, path string) {
			dir := filepath.Dir(path)
			mkdir(t, filepath.Join(dir, "..v2"))
			moved := filepath.Join(dir, "..v2", filepath.Base(path))
			write(t, moved, other)
			keepTime(t, moved, at)
			link := filepath.Join(dir, "..link")
			if err := os.Symlink(moved, link); err != nil {
				t.Fatal(err)
			}
			rename(t, link, path)
		},
	} {
		t.Run(promise, func(t *testing.T) {
			path := secretFile(t, first)
			keepTime(t, path, at)
			f := open(t, path)
			before, err := f.Active()
			if err != nil {
				t.Fatal(err)
			}
			change(t, path)
			now, changed, err := f.Reload(before)
			if err != nil || !changed || len(now) != 1 || now[0].Reveal() != other {
				t.Errorf("Reload returns %d secrets, changed %v, %v", len(now), changed, err)
			}
			wantActive(t, f, other)
			_, changed, err = f.Reload(now)
			if err != nil || changed {
				t.Errorf("without a change, Reload returns changed %v, %v", changed, err)
			}
		})
	}
}

func TestAChangeOfTheContentAloneIsFoundWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := secretFile(t, first)
		at := time.Now()
		keepTime(t, path, at)
		f := open(t, path)
		write(t, path, strings.ToUpper(first))
		keepTime(t, path, at)
		time.Sleep(time.Second) //nolint:forbidigo // moves the bubble's clock
		wantActive(t, f, strings.ToUpper(first))
	})
}

// The request that finds a key missing may have read the secrets before another request's Reload.
func TestReloadComparesWithTheSecretsOfItsCaller(t *testing.T) {
	path := secretFile(t, first)
	f := open(t, path)
	before, err := f.Active()
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, first+"\n"+second)
	for caller := range 2 {
		now, changed, err := f.Reload(before)
		if err != nil || !changed || len(now) != 2 {
			t.Errorf("caller %d: %d secrets, changed %v, %v", caller, len(now), changed, err)
		}
	}
}

func TestReloadKeepsTheSecretsBeforeABadChange(t *testing.T) {
	path := secretFile(t, first)
	f := open(t, path)
	before, err := f.Active()
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, `"`+second+`"`)
	now, changed, err := f.Reload(before)
	if err == nil || !strings.Contains(err.Error(), "line 1: there are quotes") || changed ||
		len(now) != 1 {
		t.Errorf("Reload returns %d secrets, changed %v, %v", len(now), changed, err)
	}
	wantActive(t, f, first) // without the error, which was returned once
	_, _, err = f.Reload(before)
	if err != nil {
		t.Errorf("the same error is returned twice: %v", err)
	}
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
		"saved as UTF-16": {
			func(t *testing.T, path string) { write(t, path, "\xff\xfe"+third) }, "in UTF-16",
		},
		"an assignment": {
			func(t *testing.T, path string) { write(t, path, "SECRET="+third) }, "line 1: it is an",
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

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// keepTime gives a file a time of its own, as if it had not changed.
func keepTime(t *testing.T, path string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
