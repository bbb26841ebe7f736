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
	// reasonMin and reasonMax are the numbers of characters of a reason.
	reasonMin = 10
	reasonMax = 500
	// revealedMax is how many records are shown, and revealedBytesMax how many bytes of them.
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
	if n := utf8.RuneCountInString(view.reason); n < reasonMin || n > reasonMax {
		c.fail(w, r, http.StatusBadRequest, fmt.Sprintf(
			"Say why, with %d to %d characters. Nothing was shown.", reasonMin, reasonMax))
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
	size := 0
	err = c.op.ReadRecords(ctx, completion, func(record json.RawMessage) error {
		size += len(record)
		if size > revealedBytesMax || len(v.texts) == revealedMax {
			return errEnough
		}
		v.texts = append(v.texts, recordText(record))
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
		if len(m.Body) <= revealedBytesMax {
			v.texts = append(v.texts, recordText(m.Body))
		}
		return nil
	}
}

// recordText is a record with its members on lines of their own, and a body that is no JSON as it
// came. Characters that control a terminal or the direction of text are escaped.
func recordText(record []byte) string {
	var indented bytes.Buffer
	if err := json.Indent(&indented, record, "", "  "); err != nil {
		return plain.Text(string(record))
	}
	return plain.Text(indented.String())
}
