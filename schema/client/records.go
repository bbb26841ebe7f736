package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/rawjson"
)

// ErrRecordsGone means that the records of a large completion are not in the store. A replica of
// the store may lag, so another delivery may help.
var ErrRecordsGone = errors.New("the records are gone")

// ErrRecordsChanged means that the records of a large completion do not fit the reference: the
// hash, the size or the number differs.
var ErrRecordsChanged = errors.New("the records are not those of the completion")

const (
	recordsStream = "OBJ_" + schema.RecordsBucket
	// keptBytesMax is the size of the largest records, in bytes, that stay in memory between check
	// and use. Larger records are read twice.
	keptBytesMax = 8 << 20
)

// fetcher returns a chunk of the records in the store. The error is errGone if there is no chunk.
type fetcher func(ctx context.Context, subject string) ([]byte, error)

// Records returns the records of the completion, wherever they are. Each record has the provider's
// fields and digits: decode with json.Decoder.UseNumber, or into types with json.Number.
//
// Records of a large completion are read from the store, and none comes before the SHA-256 of all
// is right. The memory holds a record and a chunk, or all records if there are up to 8 MiB. The
// loop ends with the first error. Return the error from the handler: ErrRecordsGone and
// ErrRecordsChanged are known there. The loop may end early, and run again.
func (c *Completion) Records(ctx context.Context) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		if c.Data.RecordsRef != nil {
			c.readStored(ctx, *c.Data.RecordsRef, yield)
			return
		}
		for _, record := range c.Data.Records {
			if !yield(record, nil) {
				return
			}
		}
	}
}

// errStop means that the loop over the records has ended early.
var errStop = errors.New("stop")

func (c *Completion) readStored(
	ctx context.Context, ref schema.RecordsRef, yield func(json.RawMessage, error) bool,
) {
	read := reading{ref: ref, fetch: c.fetch}
	err := read.check(ctx)
	if err == nil {
		err = read.pass(ctx, func(record json.RawMessage) error {
			if !yield(bytes.Clone(record), nil) {
				return errStop
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, errStop) {
		yield(nil, err)
	}
}

// reading reads the records of a reference, in one or two passes over the chunks.
type reading struct {
	ref   schema.RecordsRef
	fetch fetcher
	// kept has the chunks between two passes, if the records are small.
	kept [][]byte
}

// check reads everything, and hands nothing out.
func (r *reading) check(ctx context.Context) error {
	if r.ref.Subject == "" || r.ref.Chunks < 1 {
		return fmt.Errorf("the records are of an earlier release, which only a client of the "+
			"object store %s can read: %w", r.ref.Bucket, ErrRecordsGone)
	}
	return r.pass(ctx, func(json.RawMessage) error { return nil })
}

// pass reads every chunk, and calls each with every record. A wrong hash counts more than the text
// behind the hash: a changed text may be anything.
func (r *reading) pass(ctx context.Context, each func(json.RawMessage) error) error {
	digest := sha256.New()
	size := int64(0)
	split := splitter{each: each}
	var faulty error
	for n := 1; n <= r.ref.Chunks; n++ {
		chunk, err := r.chunk(ctx, n)
		if err != nil {
			return err
		}
		size += int64(len(chunk))
		if size > r.ref.Bytes {
			return fmt.Errorf("there are more bytes: %w", ErrRecordsChanged)
		}
		digest.Write(chunk)
		if faulty != nil {
			continue
		}
		faulty = split.add(chunk)
		if errors.Is(faulty, errStop) {
			return faulty
		}
	}
	if size != r.ref.Bytes {
		return fmt.Errorf("there are fewer bytes: %w", ErrRecordsChanged)
	}
	if hex.EncodeToString(digest.Sum(nil)) != r.ref.SHA256 {
		return fmt.Errorf("the SHA-256 differs: %w", ErrRecordsChanged)
	}
	if faulty == nil {
		faulty = split.end()
	}
	if faulty == nil && split.count != r.ref.Count {
		return fmt.Errorf("there are %d and not %d: %w", split.count, r.ref.Count,
			ErrRecordsChanged)
	}
	return faulty
}

// chunk returns the chunk n. Chunks are numbered from 1.
func (r *reading) chunk(ctx context.Context, n int) ([]byte, error) {
	if n <= len(r.kept) {
		return r.kept[n-1], nil
	}
	chunk, err := r.fetch(ctx, r.ref.ChunkSubject(n))
	if errors.Is(err, errGone) {
		return nil, fmt.Errorf("chunk %d of %d: %w", n, r.ref.Chunks, ErrRecordsGone)
	}
	if err != nil {
		return nil, fmt.Errorf("get chunk %d of %d of the records: %w", n, r.ref.Chunks, err)
	}
	if r.ref.Bytes <= keptBytesMax {
		r.kept = append(r.kept, chunk)
	}
	return chunk, nil
}

// splitter cuts the text of a JSON array into its elements, while the text comes in parts, and
// keeps a single element in memory. Errors about the text are poison.
type splitter struct {
	// each gets every element, and may keep no part of it.
	each func(json.RawMessage) error
	// element is the element so far, with the white space around.
	element []byte
	// depth is the number of open objects and arrays, with the outer array.
	depth int
	// inString is true within a string, and isEscaped behind a backslash there.
	inString  bool
	isEscaped bool
	// hasEnded is true behind the outer array.
	hasEnded bool
	count    int
}

// add reads the next part of the text.
func (s *splitter) add(text []byte) error {
	begin := 0 // of the part of the element in text
	for i, b := range text {
		switch {
		case s.inString:
			s.stringByte(b)
		case s.depth == 0:
			if err := s.outside(b); err != nil {
				return err
			}
			begin = i + 1
		case b == '"':
			s.inString = true
		case b == '{' || b == '[':
			s.depth++
			if s.depth > DepthMax {
				return Poison(fmt.Errorf("a record: %w", rawjson.ErrDepth))
			}
		case b == '}' || b == ']' && s.depth > 1:
			s.depth--
			if s.depth == 0 {
				return Poison(errNoArray)
			}
		case s.depth == 1 && (b == ',' || b == ']'):
			s.element = append(s.element, text[begin:i]...)
			begin = i + 1
			if err := s.hand(b); err != nil {
				return err
			}
		}
	}
	if s.depth > 0 {
		s.element = append(s.element, text[begin:]...)
	}
	return nil
}

// end returns an error if the text has not ended with the array.
func (s *splitter) end() error {
	if !s.hasEnded {
		return Poison(errNoArray)
	}
	return nil
}

var errNoArray = errors.New("the records are not a JSON array")

func (s *splitter) stringByte(b byte) {
	switch {
	case s.isEscaped:
		s.isEscaped = false
	case b == '\\':
		s.isEscaped = true
	case b == '"':
		s.inString = false
	}
}

// outside reads a byte before or behind the array.
func (s *splitter) outside(b byte) error {
	switch {
	case b == ' ' || b == '\t' || b == '\n' || b == '\r':
		return nil
	case b == '[' && !s.hasEnded:
		s.depth = 1
		return nil
	default:
		return Poison(errNoArray)
	}
}

// hand hands the element out, before the comma or the bracket b.
func (s *splitter) hand(b byte) error {
	if b == ']' {
		s.depth = 0
		s.hasEnded = true
	}
	element := bytes.TrimSpace(s.element)
	s.element = s.element[:0]
	if len(element) == 0 && s.hasEnded && s.count == 0 {
		return nil // an empty array
	}
	if err := rawjson.Check(element, DepthMax); err != nil {
		return Poison(fmt.Errorf("record %d: %w", s.count+1, err))
	}
	s.count++
	return s.each(element)
}
