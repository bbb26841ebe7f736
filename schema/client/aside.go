package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wagewire/wagewire/schema"
)

// Poisoned is a completion that no delivery helps.
type Poisoned struct {
	// Stream and Sequence are the place of the message.
	Stream   string
	Sequence uint64
	// Raw is the whole message: any bytes.
	Raw []byte
	// Reason is the kit's own text, the text of an error marked with Poison, or the functions,
	// files and lines that led to a panic in the handler.
	Reason string
}

const (
	completionSuffix = ".json"
	reasonSuffix     = ".why.txt"
)

// AsideDir returns the function for Subscription.Aside that keeps poison in a directory: the
// message in <stream>-<sequence>.json and the reason in <stream>-<sequence>.why.txt. The kit makes
// the directory. Only the user of the program may read the files, because of the personal data.
// Both are on the disk before the broker is told to deliver the completion no more.
//
// The directory holds whole completions, also of accounts that are deleted later. RetryAside
// removes those. A program that must erase at once looks there too in Remove.
func AsideDir(dir string) func(context.Context, Poisoned) error {
	return func(_ context.Context, p Poisoned) error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		name := filepath.Join(dir, fmt.Sprintf("%s-%d", p.Stream, p.Sequence))
		if err := writeDurably(name+reasonSuffix, []byte(p.Reason+"\n")); err != nil {
			return err
		}
		if err := writeDurably(name+completionSuffix, p.Raw); err != nil {
			return err
		}
		return syncDir(dir)
	}
}

// writeDurably writes the file as a whole or not at all. The name is on the disk after syncDir.
func writeDurably(path string, text []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".aside-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if _, err := file.Write(text); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func syncDir(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// RetryAside hands the completions in a directory of AsideDir to the handler, the oldest first, and
// removes the files of completions that the handler took. Completions of an account that is deleted
// by now never come to Store: RetryAside removes their files. The error joins the errors of all
// others. A directory that does not exist has no completions.
func (c *Client) RetryAside(ctx context.Context, dir string, h Handler) error {
	names, err := listAside(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := c.retry(ctx, filepath.Join(dir, name), h); err != nil {
			errs = append(errs, fmt.Errorf("%s stays aside: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// listAside returns the names of the completions in the order of the stream.
func listAside(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, completionSuffix) && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(asideSequence(a), asideSequence(b))
	})
	return names, nil
}

// asideSequence is the sequence in the name of a file, 0 if there is none.
func asideSequence(name string) uint64 {
	text := strings.TrimSuffix(name, completionSuffix)
	sequence, _ := strconv.ParseUint(text[strings.LastIndex(text, "-")+1:], 10, 64)
	return sequence
}

// retry hands a file to the handler, unless the account is deleted by now, and removes the file.
func (c *Client) retry(ctx context.Context, path string, h Handler) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	completion, err := decode(text, c.fetchChunk)
	if err != nil {
		return err
	}
	completion.StreamSequence = asideSequence(filepath.Base(path))
	account := accountKey(completion.Data.Provider, completion.Subject)
	if !c.accounts.lock(ctx, account) {
		return ctx.Err()
	}
	defer c.accounts.unlock(account)
	isGone, err := c.isOfDeleted(ctx, completion)
	if err != nil {
		return err
	}
	if isGone {
		c.log.Info("a completion of a deleted account was removed",
			"sequence", completion.StreamSequence)
	} else if err := call(context.WithoutCancel(ctx), h, completion); err != nil {
		return err
	}
	reason := strings.TrimSuffix(path, completionSuffix) + reasonSuffix
	if err := os.Remove(reason); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(path)
}

// isOfDeleted reports whether a completion, other than a deletion, is of an account that is deleted
// by now.
func (c *Client) isOfDeleted(ctx context.Context, completion *Completion) (bool, error) {
	data := completion.Data
	isProvider := schema.Token(string(data.Provider)) == string(data.Provider)
	if data.Outcome == schema.Deleted || data.AccountID == nil || !isProvider {
		return false, nil
	}
	account, err := c.Account(ctx, data.Provider, *data.AccountID)
	if errors.Is(err, ErrNoAccount) {
		return false, nil
	}
	return account.Data.Status == schema.AccountDeleted, err
}
