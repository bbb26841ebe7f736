package ingress

import "errors"

// HeaderLinesMax is how many lines a request's header may have. net/http limits the bytes alone,
// and a line of five bytes costs a hundred bytes of memory.
const HeaderLinesMax = 128

var errHeaderLines = errors.New("a header has too many lines")

// headerGuard counts the lines of a request's header as they arrive, up to the blank line.
type headerGuard struct {
	lines int
	// inLine is true behind a byte of a line that is not blank.
	inLine  bool
	isEnded bool
}

// allows returns false when the header has too many lines.
func (g *headerGuard) allows(part []byte) bool {
	for _, b := range part {
		switch {
		case g.isEnded:
			return true
		case b == '\r':
		case b != '\n':
			g.inLine = true
		case g.inLine:
			g.inLine = false
			g.lines++
		default:
			g.isEnded = g.lines > 0 // net/http skips blank lines before a request
		}
	}
	return g.lines <= HeaderLinesMax
}
