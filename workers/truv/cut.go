package truv

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
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
// that a large link is in memory once.
func cut(doc []byte, names ...string) ([]byte, error) {
	c := cutter{names: names, doc: doc, dec: json.NewDecoder(bytes.NewReader(doc))}
	c.dec.UseNumber() // a float64 cannot hold every number JSON can
	if err := c.readValue(); err != nil {
		return nil, err
	}
	kept := doc[:0]
	done := 0
	for _, cut := range c.cuts {
		kept = append(kept, doc[done:cut.from]...)
		done = cut.to
	}
	return append(kept, doc[done:]...), nil
}

type cutter struct {
	names []string
	doc   []byte
	dec   *json.Decoder
	cuts  []span // in the order of doc, without overlaps
}

// span is the part of a document between two offsets.
type span struct{ from, to int }

// offset returns the offset just after the last decoded token.
func (c *cutter) offset() int { return int(c.dec.InputOffset()) }

// readValue reads one value and cuts inside the value.
func (c *cutter) readValue() error {
	open, err := c.dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	first := true // no member of the object is kept yet
	for end := c.offset(); c.dec.More(); end = c.offset() {
		if open == json.Delim('{') {
			key, err := c.dec.Token()
			if err != nil {
				return err
			}
			if c.isNamed(key.(string)) {
				if err := c.dec.Decode(new(json.RawMessage)); err != nil {
					return err
				}
				c.cut(end, first)
				continue
			}
			first = false
		}
		if err := c.readValue(); err != nil {
			return err
		}
	}
	_, err = c.dec.Token() // the closing delimiter
	return err
}

func (c *cutter) isNamed(key string) bool {
	return slices.ContainsFunc(c.names, func(name string) bool {
		return strings.EqualFold(key, name)
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
