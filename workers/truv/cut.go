package truv

import (
	"bytes"
	"slices"
	"strings"

	"github.com/wagewire/wagewire/schema/rawjson"
)

// Members that never leave the client.
const (
	// accessToken is a credential to a person's payroll account.
	accessToken = "access_token"
	// bankAccounts has whole account numbers. They are a resource of their own, for which a team
	// needs a right of its own, so no other record may hold them.
	bankAccounts = "bank_accounts"
)

// cut returns doc without the members with the names, in upper or lower case and at any depth. All
// other bytes stay. Decoding and encoding a document would change numbers, spacing and order; a
// library that deletes members by path would need each path. The result takes the place of doc, so
// that a large answer is in memory once. doc must be valid JSON.
func cut(doc []byte, names ...string) []byte {
	c := cutter{names: names, doc: doc, reader: rawjson.NewReader(doc)}
	c.readValue()
	kept := doc[:0]
	done := 0
	for _, cut := range c.cuts {
		kept = append(kept, doc[done:cut.from]...)
		done = cut.to
	}
	return append(kept, doc[done:]...)
}

type cutter struct {
	names  []string
	doc    []byte
	reader *rawjson.Reader
	cuts   []span // in the order of doc, without overlaps
}

// span is the part of a document between two offsets.
type span struct{ from, to int }

// offset returns the offset just after the last value that was read.
func (c *cutter) offset() int { return len(c.reader.From(0)) }

// readValue reads one value and cuts inside the value.
func (c *cutter) readValue() {
	switch c.reader.Next() {
	case '{':
		c.readObject()
	case '[':
		for range c.reader.Elements() {
			c.readValue()
		}
	default:
		c.reader.Value()
	}
}

func (c *cutter) readObject() {
	end := c.reader.Offset() + 1 // just after the brace, or after the last member
	first := true                // no member of the object is kept yet
	for name := range c.reader.Members() {
		if c.isNamed(name) {
			c.reader.Value()
			c.cut(end, first)
		} else {
			c.readValue()
			first = false
		}
		end = c.offset()
	}
}

func (c *cutter) isNamed(key []byte) bool {
	return slices.ContainsFunc(c.names, func(name string) bool {
		return strings.EqualFold(string(key), name)
	})
}

// cut drops the member just read, which began after the offset from. The comma before the member
// is dropped too. If no member before it is kept (first), the comma after the member is dropped
// instead.
func (c *cutter) cut(from int, first bool) {
	to := c.offset()
	if first {
		rest := bytes.TrimLeft(c.doc[to:], " \t\r\n")
		if after, ok := bytes.CutPrefix(rest, []byte(",")); ok {
			to = len(c.doc) - len(after)
		}
	}
	if last := len(c.cuts) - 1; last >= 0 && from < c.cuts[last].to {
		from = c.cuts[last].to // the comma was dropped with the member before
	}
	c.cuts = append(c.cuts, span{from, to})
}
