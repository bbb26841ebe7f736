package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/shelf"
	"github.com/wagewire/wagewire/schema/stream"
)

const (
	// boardRows is how many messages a page lists, and lookMax how many it looks at for them.
	boardRows = 100
	lookMax   = 20_000
)

// discard is the action of both boards for deletion.
const discard = "discard"

// board is the pages of a shelf, or of the waiting events of a queue.
type board struct {
	// path is the address of the list, and command the command for the shelf, "" if each action is
	// a command.
	path, command string
	// noun is a message in words, and words are the two by which messages are counted.
	noun  string
	words [2]string
	// resend is the action for sending a message through the line again.
	resend string
}

func deadBoard() board {
	return board{
		path: "/dead", command: "dead", noun: "dead letter", words: [2]string{"Queue", "Class"},
		resend: "redrive",
	}
}

func quarantineBoard() board {
	return board{
		path: "/quarantine", command: "quarantine", noun: "webhook",
		words: [2]string{"Provider", "Reason"}, resend: "release",
	}
}

// commandFor is the command line of an action.
func (b board) commandFor(action string, flags []string) string {
	words := []string{"wagewire", action}
	if b.command != "" {
		words = []string{"wagewire", b.command, action}
	}
	return strings.Join(append(words, flags...), " ")
}

// actions are what can be done to the messages.
func (b board) actions() []string {
	if b.resend == retryAction {
		return []string{retryAction}
	}
	return []string{b.resend, discard}
}

// spanForm is the part of a filter about times, as people write times.
type spanForm struct{ since, until string }

func readSpanForm(v url.Values) spanForm {
	return spanForm{strings.TrimSpace(v.Get("since")), strings.TrimSpace(v.Get("until"))}
}

// span reads the times. An error names the field and the right form.
func (f spanForm) span(now time.Time) (shelf.Span, error) {
	var span shelf.Span
	for _, end := range []struct {
		name, text string
		target     *time.Time
	}{
		{"since", f.since, &span.Since}, {"until", f.until, &span.Until},
	} {
		if end.text == "" {
			continue
		}
		at, err := plain.ParseTime(end.text, now)
		if err != nil {
			return span, fmt.Errorf("%s: %w", end.name, err)
		}
		*end.target = at
	}
	if !span.Until.IsZero() && span.Until.Before(span.Since) {
		return span, errors.New("until: write a time after since")
	}
	return span, nil
}

// field is a field of a filter with its value.
type field struct{ name, value string }

// fieldsOf leaves out fields without a value.
func fieldsOf(fields ...field) []field {
	return slices.DeleteFunc(fields, func(f field) bool { return f.value == "" })
}

// flagsOf are the fields as flags of a command.
func flagsOf(fields []field) []string {
	var flags []string
	for _, f := range fields {
		flags = append(flags, "--"+f.name, f.value)
	}
	return flags
}

// isOneOf returns an error with the name of the field unless the word is "" or of the list.
func isOneOf[T ~string](field string, word T, words []T) error {
	if word == "" || slices.Contains(words, word) {
		return nil
	}
	return fmt.Errorf("%s: %s is none: write one of %s", field, plain.Word(word), plain.List(words))
}

// place is where a page of a list begins.
type place struct{ before, after uint64 }

func readPlace(v url.Values) (place, error) {
	var p place
	for name, target := range map[string]*uint64{"before": &p.before, "after": &p.after} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return p, fmt.Errorf("%s: write a number of the list", name)
		}
		*target = n
	}
	return p, nil
}

// listing is a page of a list, without its rows.
type listing struct {
	board

	fields       []field
	rows, looked int
	stored       uint64
	older, newer uint64
	isPart       bool // other messages come before or after
	mayAct       bool
	runs         []runView
}

func newListing[T any](b board, fields []field, page shelf.Page[T]) listing {
	return listing{
		board: b, fields: fields, rows: len(page.Messages), looked: page.Looked,
		stored: page.Stored, older: page.Older, newer: page.Newer,
		isPart: page.Older > 0 || page.Newer > 0,
	}
}

// link is the address of the list with the same filter from another place, or of the newest page
// if the number is 0.
func (l listing) link(name string, number uint64) string {
	v := url.Values{}
	for _, f := range l.fields {
		v.Set(f.name, f.value)
	}
	if number > 0 {
		v.Set(name, strconv.FormatUint(number, 10))
	}
	if len(v) == 0 {
		return l.path
	}
	return l.path + "?" + v.Encode()
}

// flags are the flags of the filter, for a command.
func (l listing) flags() []string { return flagsOf(l.fields) }

// countText says how many messages the filter chooses, of all or of the newest.
func (l listing) countText(total, looked int) string {
	if looked == 0 {
		return counted(total, l.noun) + "."
	}
	return fmt.Sprintf("%s of the %s that were looked at; there are %s in all.",
		counted(total, l.noun), thousands(looked), thousands(l.stored))
}

// pageText says how far the page has looked, and "" if the page has everything.
func (l listing) pageText() string {
	text := ""
	if l.rows == 0 {
		text = fmt.Sprintf("There is no such %s here. ", l.noun)
	}
	if l.rows == 0 || l.isPart {
		text += fmt.Sprintf("Looked at %s of %s.", thousands(l.looked), counted(l.stored, l.noun))
	}
	return text
}

// countOf is how many messages of a board have two words.
type countOf struct {
	words  [2]string
	count  int
	oldest time.Time
}

func totalOf(counts []countOf) int {
	total := 0
	for _, c := range counts {
		total += c.count
	}
	return total
}

// readPage reads the page of a list from the place on.
func readPage[T any](
	ctx context.Context, op *stream.Operator, kind shelf.Kind[T], filter shelf.Filter[T],
	from place,
) (shelf.Page[T], error) {
	size := shelf.PageSize{Rows: boardRows, LookMax: lookMax}
	if from.after > 0 {
		return shelf.ReadNewer(ctx, op, kind, filter, from.after, size)
	}
	return shelf.ReadOlder(ctx, op, kind, filter, from.before, size)
}

// countNewest counts the messages of the filter among the newest lookMax messages, and returns the
// number of messages looked at.
func countNewest[T any](
	ctx context.Context, op *stream.Operator, kind shelf.Kind[T], filter shelf.Filter[T],
	wordsOf func(T) [2]string,
) (counts []countOf, looked int, err error) {
	extent, err := op.ExtentOf(ctx, kind.Stream)
	if err != nil {
		return nil, 0, err
	}
	search := shelf.Search{LookMax: lookMax}
	if len(filter.Subjects()) == 0 && extent.Last > lookMax {
		search.From = extent.Last - lookMax + 1
	}
	byWords := map[[2]string]int{}
	seen, err := shelf.Scan(ctx, op, kind, filter, search, func(message T) error {
		byWords[wordsOf(message)]++
		return nil
	})
	for words, count := range byWords {
		counts = append(counts, countOf{words: words, count: count})
	}
	slices.SortFunc(counts, func(a, b countOf) int {
		return slices.Compare(a.words[:], b.words[:])
	})
	return counts, seen.Looked, err
}

// readMessage reads the message of the address, with the body. Without a message, the answer is
// 404.
func readMessage[T any](
	ctx context.Context, c *Console, w http.ResponseWriter, r *http.Request, b board,
	kind shelf.Kind[T],
) (message T, exists bool, err error) {
	number, _ := readNumber(r.PathValue("number")) // 0 if it is none
	if number == 0 {
		c.fail(w, r, http.StatusNotFound, "There is no such number.")
		return message, false, nil
	}
	m, exists, err := c.op.Message(ctx, kind.Stream, number)
	if err != nil {
		return message, false, err
	}
	if !exists {
		c.fail(w, r, http.StatusNotFound, fmt.Sprintf("There is no %s %d any more: it was sent "+
			"or discarded, or it was kept for long enough.", b.noun, number))
		return message, false, nil
	}
	return kind.Read(m), true, nil
}

// complete adds the rights of the person and the newest runs to a listing.
func (c *Console) complete(r *http.Request, l *listing) {
	l.mayAct = personOf(r).has(RoleAct)
	l.runs = c.newestRuns(l.board)
}

func (c *Console) newestRuns(b board) []runView {
	now := time.Now()
	var views []runView
	for _, one := range c.runs.of(b) {
		views = append(views, runView{one.task, one.get(now), one.id, false})
	}
	return views
}
