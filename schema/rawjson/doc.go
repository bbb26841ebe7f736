// Package rawjson reads JSON text as text. It checks a text, takes the white space out of it, and
// finds its members and elements without decoding a value. A record goes through the line as the
// provider wrote it, so nobody needs its values.
//
// A text is JSON for this package exactly if encoding/json says so. The functions of encoding/json
// call a function for each byte. Over half of the time of a worker with long lists went there.
//
//	rawjson.go  Check, WriteCompact: one pass over the whole text
//	reader.go   Reader: the parts of a checked text
package rawjson
