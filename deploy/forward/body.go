package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/normal"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// Members of a completion, and of its data.
const (
	memberData       = "data"
	memberRecords    = "records"
	memberRecordsRef = "records_ref"
	memberNormal     = "normal"
)

// errNoData is the error of a completion without the member data.
var errNoData = errors.New("the completion has no data")

// Form says how a completion is written. The zero value writes the completion with its records.
type Form struct {
	// Normal adds data.normal: for each of data.records, in the same order, the record in the model
	// of package normal, or null for a record that is no object. A completion of a resource without
	// a model has no data.normal.
	Normal bool
}

// Write writes the completion as one JSON object. Records that the completion only refers to are
// written in place of the reference, one after the other, so that large ones need little memory.
// Every other value is as stored, byte for byte.
//
// Write writes nothing if the records are not those of the completion: the error is then
// client.ErrRecordsGone or client.ErrRecordsChanged. After any other error a part of the object may
// be written.
func (f Form) Write(ctx context.Context, w io.Writer, c *client.Completion) error {
	isElsewhere := c.Data.RecordsRef != nil
	hasNormal := f.Normal && normal.Has(c.Data.Provider, c.Data.Resource)
	if !isElsewhere && !hasNormal {
		_, err := w.Write(c.Raw)
		return err
	}
	replaced := map[string]bool{
		memberRecords: isElsewhere, memberRecordsRef: isElsewhere, memberNormal: hasNormal,
	}
	before, after, err := cut(c.Raw, replaced)
	if err != nil {
		return client.Poison(err)
	}
	p := parts{w: w, completion: c, before: before}
	if isElsewhere {
		if err := p.writeList(ctx, memberRecords, asIs); err != nil {
			return err
		}
	}
	if hasNormal {
		if err := p.writeList(ctx, memberNormal, normalOf(c)); err != nil {
			return err
		}
	}
	return p.write("", after)
}

// cut returns the text of a completion before and after the end of its data, without the members of
// the data that are replaced.
func cut(raw []byte, replaced map[string]bool) (before, after []byte, err error) {
	text := &before
	for name, value := range rawjson.Members(raw) {
		separator := byte(',')
		if len(before) == 0 {
			separator = '{'
		}
		*text = append(*text, separator)
		if name != memberData {
			*text = appendMember(*text, name, value)
			continue
		}
		*text = append(*text, `"`+memberData+`":`...)
		separator = '{'
		for name, value := range rawjson.Members(value) {
			if replaced[name] {
				continue
			}
			*text = append(*text, separator)
			*text = appendMember(*text, name, value)
			separator = ','
		}
		if separator == '{' {
			return nil, nil, errNoData
		}
		text = &after
		after = append(after, '}')
	}
	if len(after) == 0 {
		return nil, nil, errNoData
	}
	return before, append(after, '}'), nil
}

func appendMember(text []byte, name string, value json.RawMessage) []byte {
	quoted, _ := json.Marshal(name) // a string always has a JSON text
	text = append(text, quoted...)
	text = append(text, ':')
	return append(text, value...)
}

// parts writes the parts of an object.
type parts struct {
	w          io.Writer
	completion *client.Completion
	// before is the text before the first list. It is written when the first record is there,
	// because the records are checked then.
	before []byte
}

// writeList writes a member with a list that has a value for each record.
func (p *parts) writeList(ctx context.Context, name string, valueOf valueOf) error {
	separator := `,"` + name + `":[`
	for record, err := range p.completion.Records(ctx) {
		if err != nil {
			return err
		}
		value, err := valueOf(record)
		if err != nil {
			return err
		}
		if err := p.write(separator, value); err != nil {
			return err
		}
		separator = ","
	}
	if separator == "," {
		return p.write("]", nil)
	}
	return p.write(separator+"]", nil)
}

// write writes the text before the first list, unless it is written, and then the separator and
// the value.
func (p *parts) write(separator string, value []byte) error {
	texts := [][]byte{p.before, []byte(separator), value}
	p.before = nil
	for _, text := range texts {
		if _, err := p.w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// valueOf returns the element of a list for a record.
type valueOf func(record json.RawMessage) (json.RawMessage, error)

func asIs(record json.RawMessage) (json.RawMessage, error) { return record, nil }

// normalOf returns the text of a record in the normalised model, null for a record that is no
// object.
func normalOf(c *client.Completion) valueOf {
	return func(record json.RawMessage) (json.RawMessage, error) {
		model, err := normal.OfCompletion(c.Data, record)
		if errors.Is(err, normal.ErrNoObject) {
			return json.RawMessage("null"), nil
		}
		if err != nil {
			return nil, client.Poison(err)
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(model); err != nil {
			return nil, client.Poison(err)
		}
		return bytes.TrimSpace(text.Bytes()), nil
	}
}
