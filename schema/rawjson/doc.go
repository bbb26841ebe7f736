// Package rawjson checks JSON text and takes the white space out of it, in one pass over the bytes
// and without decoding a value. A record goes through the line as the provider wrote it, so nobody
// needs its values.
//
// A text is JSON for this package exactly if encoding/json says so. The functions of encoding/json
// call a function for each byte. Over half of the time of a worker with long lists went there.
package rawjson
