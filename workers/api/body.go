package api

import (
	"errors"
	"unicode/utf8"

	"github.com/wagewire/wagewire/schema/rawjson"
)

// whyNotJSON says in fixed words why the body of a 200 cannot be decoded, or returns "".
func whyNotJSON(body []byte) string {
	err := rawjson.Check(body, DepthMax)
	switch {
	case errors.Is(err, rawjson.ErrDepth):
		return "nested deeper than 64"
	case err != nil, !utf8.Valid(body):
		return "the body is not JSON"
	default:
		return ""
	}
}
