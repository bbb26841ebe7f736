package ingress

import (
	"strings"
	"testing"
)

func TestAHeaderIsLimitedInLines(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("a:\r\n", n) }
	for promise, test := range map[string]struct {
		sent    string
		allowed bool
	}{
		"as many lines as allowed":              {lines(HeaderLinesMax), true},
		"a line more":                           {lines(HeaderLinesMax + 1), false},
		"a line more, without carriage returns": {strings.Repeat("a\n", HeaderLinesMax+1), false},
		"a line more behind a blank line":       {"\r\n\n" + lines(HeaderLinesMax+1), false},
		"any number of lines in the body":       {lines(2) + "\r\n" + lines(HeaderLinesMax), true},
		"any number of lines behind two \\n":    {"a\n\n" + lines(HeaderLinesMax), true},
		"a long line":                           {strings.Repeat("a", HeaderBytesMax), true},
	} {
		t.Run(promise, func(t *testing.T) {
			var whole, parts headerGuard
			allowed := true
			for i := range test.sent {
				allowed = allowed && parts.allows([]byte{test.sent[i]})
			}
			if allowed != test.allowed {
				t.Errorf("byte by byte: %t, want %t", allowed, test.allowed)
			}
			if got := whole.allows([]byte(test.sent)); got != test.allowed {
				t.Errorf("in one piece: %t, want %t", got, test.allowed)
			}
		})
	}
}
