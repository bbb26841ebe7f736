package api

import (
	"encoding/json"
	"unicode/utf8"
)

// whyNotJSON says in fixed words why the body of a 200 cannot be decoded, or returns "".
func whyNotJSON(body []byte) string {
	switch {
	case nestsDeeper(body, DepthMax):
		return "nested deeper than 64"
	case !utf8.Valid(body) || !json.Valid(body):
		return "the body is not JSON"
	default:
		return ""
	}
}

// nestsDeeper reports whether the objects and arrays of a JSON text are nested deeper than limit.
// A text that is not JSON may get either answer.
func nestsDeeper(text []byte, limit int) bool {
	depth := 0
	inString, escaped := false, false
	for _, b := range text {
		switch {
		case escaped:
			escaped = false
		case inString && b == '\\':
			escaped = true
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			depth++
			if depth > limit {
				return true
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return false
}
