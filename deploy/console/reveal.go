package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/wagewire/wagewire/deploy/plain"
	"github.com/wagewire/wagewire/deploy/trace"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/stream"
)

// revealKind is what has records or a body.
type revealKind string

// The kinds. The id of a completion is its own; a dead letter and a webhook in quarantine have
// a number.
const (
	revealCompletion  revealKind = "completion"
	revealLetter      revealKind = "dead letter"
	revealQuarantined revealKind = "webhook in quarantine"
)

// Limits of a look at records.
const (
	// reasonMin is the number of letters and digits that a reason has at least, and reasonMax the
	// number of its characters at most.
	reasonMin = 10
	reasonMax = 500
	// revealedMax is how many records are shown, and revealedBytesMax how many bytes of a page
	// they take.
	revealedMax      = 100
	revealedBytesMax = 1 << 20
)

// mayReveal reports whether the person may see records: the page then has the forms.
func (c *Console) mayReveal(r *http.Request) bool {
	return c.Reveal && personOf(r).has(RoleReveal)
}

// revealedView is what the page with records shows.
type revealedView struct {
	kind       revealKind
	id, reason string
	// name is the person's.
	name  string
	texts []string
	// isCut: a text is longer than the page shows.
	isCut bool
	// bytes are those of the page that the texts take.
	bytes int
	// noun is what the texts are, and all how many there are.
	noun string
	all  int
}

// left is how many records the page does not show.
func (v revealedView) left() int { return v.all - len(v.texts) }

// reveal shows records or a body to a person who says why. The log has a line of the look before
// anything is read.
func (c *Console) reveal(w http.ResponseWriter, r *http.Request) {
	view := revealedView{
		kind:   revealKind(r.PostFormValue("kind")),
		id:     r.PostFormValue("id"),
		reason: strings.Join(strings.Fields(r.PostFormValue("reason")), " "),
		name:   personOf(r).name,
	}
	if !isReason(view.reason) {
		c.fail(w, r, http.StatusBadRequest, fmt.Sprintf("Say why, with at least %d letters or "+
			"digits, and at most %d characters. Nothing was shown.", reasonMin, reasonMax))
		return
	}
	read, isKind := map[revealKind]func(context.Context, *revealedView) error{
		revealCompletion:  c.readCompletion,
		revealLetter:      c.bodyReader(schema.DeadLettersStream),
		revealQuarantined: c.bodyReader(schema.QuarantineStream),
	}[view.kind]
	if !isKind || view.id == "" || len(view.id) > nameBytesMax {
		c.fail(w, r, http.StatusBadRequest, "The form does not say what to show.")
		return
	}
	c.audit(r, personOf(r), "records revealed", zap.String("kind", string(view.kind)),
		zap.String("id", plain.Text(view.id)), zap.String("reason", plain.Text(view.reason)))
	_ = c.log.Sync() // the line is written now, and not with the next ones; a terminal cannot sync
	c.lookUp(w, r, false, func(ctx context.Context) error {
		err := read(ctx, &view)
		if errors.Is(err, errGone) || errors.Is(err, stream.ErrNoRecords) {
			c.fail(w, r, http.StatusNotFound,
				"There are no such records, or no longer. The log has a line of the look.")
			return nil
		}
		if err != nil {
			return err
		}
		c.render(w, r, http.StatusOK, page{title: "Revealed"}, revealed(view))
		return nil
	})
}

// isReason reports whether the text is long enough to say something, and short enough for a line.
func isReason(text string) bool {
	said := 0
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			said++
		}
	}
	return said >= reasonMin && utf8.RuneCountInString(text) <= reasonMax
}

// errGone says that what is to be shown is not there.
var errGone = errors.New("it is not there")

// errEnough ends the reading of records that are too many.
var errEnough = errors.New("enough records")

func (c *Console) readCompletion(ctx context.Context, v *revealedView) error {
	completion, isThere, err := trace.FindCompletion(ctx, c.op, v.id)
	if err != nil {
		return err
	}
	if !isThere {
		return errGone
	}
	v.noun = "record"
	v.all = completion.CountRecords()
	err = c.op.ReadRecords(ctx, completion, func(record json.RawMessage) error {
		if len(v.texts) == revealedMax || !v.add(record) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// bodyReader reads the body of a message by its number.
func (c *Console) bodyReader(from string) func(context.Context, *revealedView) error {
	return func(ctx context.Context, v *revealedView) error {
		number, err := strconv.ParseUint(v.id, 10, 64)
		if err != nil {
			return errGone
		}
		m, isThere, err := c.op.Message(ctx, from, number)
		if err != nil {
			return err
		}
		if !isThere {
			return errGone
		}
		v.noun = "body of a webhook"
		v.all = 1
		v.add(m.Body)
		return nil
	}
}

// add adds a record or a body to the page. The first is cut if it is longer than the page. add
// returns false for another that the page has no room for.
func (v *revealedView) add(record []byte) bool {
	text, size, isCut := cutText(recordText(record), revealedBytesMax-v.bytes)
	if isCut && len(v.texts) > 0 {
		return false
	}
	v.texts = append(v.texts, text)
	v.bytes += size
	v.isCut = isCut
	return true
}

// recordText is a record with its members on lines of their own, and a body that is no JSON as it
// came. JSON that is too deep for lines is on one line: the blanks before the lines grow with the
// square of the depth. Characters that control a terminal or the direction of text are escaped. The
// text of more than revealedBytesMax is cut.
func recordText(record []byte) string {
	if indentedBytes(record) <= revealedBytesMax {
		var indented bytes.Buffer
		if json.Indent(&indented, record, "", recordIndent) == nil {
			return plain.Text(indented.String())
		}
	}
	// With one byte more than the page shows, cutText sees that the text is cut.
	return plain.Text(string(record[:min(len(record), revealedBytesMax+1)]))
}

// recordIndent are the blanks before a line for each level of JSON.
const recordIndent = "  "

// indentedBytes is the size of JSON after json.Indent, or a little more.
func indentedBytes(text []byte) int {
	size := len(text)
	depth := 0
	isString := false
	isEscaped := false
	for _, b := range text {
		switch {
		case isEscaped:
			isEscaped = false
		case isString:
			isEscaped = b == '\\'
			isString = b != '"'
		case b == '"':
			isString = true
		case b == '{', b == '[', b == '}', b == ']', b == ',':
			if b == '{' || b == '[' {
				depth++
			}
			size += len("\n") + depth*len(recordIndent)
			if b == '}' || b == ']' {
				depth = max(depth-1, 0)
			}
		case b == ':':
			size += len(" ")
		}
	}
	return size
}

// escapedBytes is the size of the entity for a character that HTML escapes.
const escapedBytes = len("&#34;")

// cutText cuts a text to so many bytes of a page, and returns how many it takes.
func cutText(text string, room int) (cut string, size int, isCut bool) {
	for i, r := range text {
		width := utf8.RuneLen(r)
		if strings.ContainsRune(`"'&<>`, r) {
			width = escapedBytes
		}
		if size+width > room {
			return text[:i], size, true
		}
		size += width
	}
	return text, size, false
}
