package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	// timeBytesMax is the length of the longest time of a filter.
	timeBytesMax = 64
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
	return plain.CommandLine(append(words, flags...)...)
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
		if len(end.text) > timeBytesMax {
			return span, fmt.Errorf("%s: write a shorter time", end.name)
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

// exact has times instead of ages.
func (f spanForm) exact(span shelf.Span) spanForm {
	if !span.Since.IsZero() {
		f.since = span.Since.UTC().Format(time.RFC3339Nano)
	}
	if !span.Until.IsZero() {
		f.until = span.Until.UTC().Format(time.RFC3339Nano)
	}
	return f
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

// readAddress reads the place in a list from the address of the page. filterErr is the error of the
// filter in the address. After an error, or for an address with empty fields, readAddress answers
// and returns false.
func (c *Console) readAddress(
	w http.ResponseWriter, r *http.Request, filterErr error,
) (from place, isRead bool) {
	from, err := readPlace(r.URL.Query())
	if err := cmp.Or(filterErr, err); err != nil {
		c.fail(w, r, http.StatusBadRequest, err.Error())
		return from, false
	}
	if path, isClean := cleanAddress(r); !isClean {
		http.Redirect(w, r, path, http.StatusSeeOther)
		return from, false
	}
	return from, true
}

// cleanAddress is the address of a request without the empty fields of a form.
func cleanAddress(r *http.Request) (path string, isClean bool) {
	query := r.URL.Query()
	isClean = true
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			query.Del(name)
			isClean = false
		}
	}
	if len(query) == 0 {
		return r.URL.Path, isClean
	}
	return r.URL.Path + "?" + query.Encode(), isClean
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
	if p.before > 0 && p.after > 0 {
		return p, errors.New("before: write a place before or after a number, and not both")
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
	isNewest     bool // the list begins with the newest message
	isPart       bool // other messages come before or after
	counts       countsOf
	mayAct       bool
	runs         []runView
}

func newListing[T any](b board, fields []field, from place, page shelf.Page[T]) listing {
	isNewest := from == place{}
	return listing{
		board: b, fields: fields, rows: len(page.Messages), looked: page.Looked,
		stored: page.Stored, older: page.Older, newer: page.Newer,
		isNewest: isNewest, isPart: page.Older > 0 || page.Newer > 0 || !isNewest,
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

// countText says how many messages the filter chooses, of all or of the newest, and when they were
// counted.
func (l listing) countText() string {
	sure, maybe := l.counts.total()
	text := counted(sure, l.noun) + "."
	if maybe > 0 {
		text = fmt.Sprintf("%s, and perhaps some of %s more that nobody has looked at.",
			counted(sure, l.noun), thousands(maybe))
	}
	switch {
	case l.counts.looked > 0:
		return fmt.Sprintf("%s of the newest %s that were looked at; there are %s in all.",
			counted(sure, l.noun), thousands(l.counts.looked), thousands(l.stored))
	case l.counts.at.IsZero():
		return text
	default:
		return text + " Counted at " + l.counts.at.UTC().Format("15:04:05Z") + "."
	}
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
	// isMaybe: nobody has looked whether the filter chooses these messages.
	isMaybe bool
}

// countsOf are the messages of a filter, by words.
type countsOf struct {
	all []countOf
	// looked is how many of the newest messages were counted, 0 if all.
	looked int
	// at is the time of an earlier count, zero for a count for the page.
	at time.Time
}

// total counts the chosen messages, and the perhaps chosen ones.
func (c countsOf) total() (sure, maybe int) {
	for _, one := range c.all {
		if one.isMaybe {
			maybe += one.count
		} else {
			sure += one.count
		}
	}
	return sure, maybe
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

// countPage counts what the filter of a listing chooses. The last reading of the broker has the
// counts, unless the list has more, or the reading knows too little for the filter.
func countPage[T any](
	ctx context.Context, op *stream.Operator, kind shelf.Kind[T], filter shelf.Filter[T],
	l *listing, read countsOf, isKnown bool, noteOf func(T) countOf,
) (err error) {
	sure, maybe := read.total()
	l.counts = read
	if !isKnown || read.at.IsZero() || l.rows > sure+maybe {
		l.counts = countsOf{}
		l.counts.all, l.counts.looked, err = countNewest(ctx, op, kind, filter, noteOf)
	}
	return err
}

// countNewest counts the messages of the filter among the newest of its subjects, about lookMax.
// looked is 0 if nothing older is left, so that the counts are of all messages.
func countNewest[T any](
	ctx context.Context, op *stream.Operator, kind shelf.Kind[T], filter shelf.Filter[T],
	noteOf func(T) countOf,
) (counts []countOf, looked int, err error) {
	byWords := map[[2]string]countOf{}
	looked, isAll, err := shelf.ScanNewest(ctx, op, kind, filter, lookMax, func(message T) error {
		one := noteOf(message)
		sum := byWords[one.words]
		sum.words = one.words
		sum.count++
		if sum.count == 1 || one.oldest.Before(sum.oldest) {
			sum.oldest = one.oldest
		}
		byWords[one.words] = sum
		return nil
	})
	if isAll {
		looked = 0
	}
	return sorted(slices.Collect(maps.Values(byWords))), looked, err
}

// sorted sorts counts by their words.
func sorted(counts []countOf) []countOf {
	slices.SortFunc(counts, func(a, b countOf) int {
		return slices.Compare(a.words[:], b.words[:])
	})
	return counts
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
