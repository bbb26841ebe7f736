package ingress

import (
	"strings"
	"testing"
)

// another is a webhook that is not the webhook connected.
var another = strings.Replace(connected, "w1", "w2", 1)

// What a second look at the same bytes may take for another request, or for none. Package net/http
// answers some of these requests itself, before a handler runs.
func TestLengthsAndChunksOnTheWire(t *testing.T) {
	usual := whole(connected)
	withLength := func(lines ...string) string { return message(signedHead(lines...), connected) }
	withChunk := func(size string) string {
		return message(signedHead(inChunks), size, connected, "0", "", "")
	}
	for name, row := range map[string]wireTest{
		"chunks alone are taken, and the connection ends": {
			send:    message(signedHead(inChunks), chunked(connected)),
			answers: []int{200}, stored: 1},
		"chunks with extensions are taken": {
			send: message(signedHead(inChunks), strings.Replace(
				chunked(connected), "\r\n", ";name=value;\"quoted\"\r\n", 1)),
			answers: []int{200}, stored: 1},
		"chunks with unsigned trailers are taken": {
			send: message(signedHead(inChunks, "Trailer: X-Later"),
				strings.TrimSuffix(chunked(connected), "\r\n")) + "X-Later: 1\r\n\r\n",
			answers: []int{200}, stored: 1},
		"a length beside chunks smuggles no second request in": {
			send:    message(signedHead(inChunks, "Content-Length: 4"), chunked(connected)+usual),
			answers: []int{200}, stored: 1},
		"a signature over the declared length, not over the chunks, is refused": {
			send:    message(head(truvPath, "ab", inChunks, "Content-Length: 2"), chunked("abc")),
			answers: []int{401}, reason: "sig_mismatch"},
		"the same length twice is one length": {
			send:    withLength(lengthOf(connected), lengthOf(connected)),
			answers: []int{200}, open: true, stored: 1},
		"two lengths are refused": {
			send: withLength(lengthOf(connected), "Content-Length: 4"), answers: []int{400}},
		"two lengths in one header are refused": {
			send: withLength("Content-Length: 4, 5"), answers: []int{400}},
		"a length with a sign is refused": {send: withLength("Content-Length: +4"), answers: []int{400}},
		"a negative length is refused":    {send: withLength("Content-Length: -1"), answers: []int{400}},
		"a hexadecimal length is refused": {send: withLength("Content-Length: 0x10"), answers: []int{400}},
		"a length over 64 bits is refused": {
			send: withLength("Content-Length: 99999999999999999999"), answers: []int{400}},
		"bytes behind the length are no part of the webhook": {
			send: usual + "behind it\r\n\r\n", answers: []int{200, 400}, stored: 1},
		"a length without a signature over so much is refused": {
			send: withLength("Content-Length: 4"), hangUp: true,
			answers: []int{401}, reason: "sig_mismatch"},
		"a chunk size with a sign is refused":   {send: withChunk("-1"), answers: []int{400}, reason: "body_read"},
		"a chunk size with a prefix is refused": {send: withChunk("0x5a"), answers: []int{400}, reason: "body_read"},
		"a chunk size over 64 bits is refused": {
			send: withChunk("fffffffffffffffff"), answers: []int{400}, reason: "body_read"},
		"a transfer coding besides chunked is refused": {
			send:    message(signedHead("Transfer-Encoding: gzip, chunked"), chunked(connected)),
			answers: []int{501}},
		"two transfer codings are refused": {
			send: message(signedHead(inChunks, inChunks), chunked(connected)), answers: []int{501}},
		"an old client has no chunks, and so no body": {
			send: strings.Replace(message(signedHead(inChunks), chunked(connected)),
				"HTTP/1.1", "HTTP/1.0", 1),
			answers: []int{401}, reason: "sig_mismatch"},
		"an empty webhook that is signed is kept": {
			send: whole(""), answers: []int{200}, open: true, quarantined: 1},
		"an empty webhook without a length is kept": {
			send: message(head(truvPath, ""), ""), answers: []int{200}, open: true, quarantined: 1},
		"an empty webhook in chunks is kept": {
			send: message(head(truvPath, "", inChunks), "0", "", ""), answers: []int{200}, quarantined: 1},
	} {
		t.Run(name, func(t *testing.T) { testOnTheWire(t, row) })
	}
}

func TestRequestLinesAndHeadersOnTheWire(t *testing.T) {
	usual := whole(connected)
	line := func(request string) string { return strings.Replace(usual, atTruv, request, 1) }
	method := func(name string) string { return message(name+" /webhooks/truv HTTP/1.1", host, "", "") }
	for name, row := range map[string]wireTest{
		"a URL with a host is taken": {
			send:    line("POST http://elsewhere/webhooks/truv HTTP/1.1"),
			answers: []int{200}, open: true, stored: 1},
		"lines that end in LF alone are taken": {
			send:    strings.ReplaceAll(usual, "\r\n", "\n"),
			answers: []int{200}, open: true, stored: 1},
		"a folded header that is not of the signature is taken": {
			send: whole(connected, "X-Folded: 1\r\n\t2"), answers: []int{200}, open: true, stored: 1},
		"a signature folded over two lines is no signature": {
			send:    strings.Replace(usual, "X-Webhook-Sign: v1=", "X-Webhook-Sign: v1=\r\n ", 1),
			answers: []int{401}, reason: "sig_mismatch"},
		"a signature in a trailer is no signature": {
			send: message(atTruv, host, "Trailer: X-Webhook-Sign", inChunks, "",
				strings.TrimSuffix(chunked(connected), "\r\n")) +
				"X-Webhook-Sign: v1=" + sum(truvSecret, connected) + "\r\n\r\n",
			answers: []int{401}, reason: "sig_missing"},
		"a signature in lower-case headers is one": {
			send:    strings.Replace(usual, "X-Webhook-Sign", "x-webhook-sign", 1),
			answers: []int{200}, open: true, stored: 1},
		"a header that is no ASCII is taken": {
			send: whole(connected, "X-Name: \xe9"), answers: []int{200}, open: true, stored: 1},
		"a NUL in a header is refused":        {send: whole(connected, "X-Nul: \x00"), answers: []int{400}},
		"a space before a colon is refused":   {send: whole(connected, "X-Space : 1"), answers: []int{400}},
		"a header without a colon is refused": {send: whole(connected, "X-Nothing"), answers: []int{400}},
		"a second host is refused":            {send: whole(connected, "Host: elsewhere"), answers: []int{400}},
		"a request without a host is refused": {
			send: strings.Replace(usual, host+"\r\n", "", 1), answers: []int{400}},
		"a NUL in the path is refused": {send: line("POST /webhooks/tr\x00uv HTTP/1.1"), answers: []int{400}},
		"an encoded NUL in the path is not found": {
			send: line("POST /webhooks/truv%00 HTTP/1.1"), answers: []int{404}, reason: "route"},
		"a broken encoding in the path is refused": {
			send: line("POST /webhooks/truv%zz HTTP/1.1"), answers: []int{400}},
		"a space in the path is refused": {send: line("POST /webhooks/tr uv HTTP/1.1"), answers: []int{400}},
		"a request line without a version is refused": {
			send: line("POST /webhooks/truv"), answers: []int{400}},
		"another version is refused": {send: line("POST /webhooks/truv HTTP/3.0"), answers: []int{505}},
		"HEAD is not allowed":        {send: method("HEAD"), answers: []int{405}, reason: "method"},
		"OPTIONS is not allowed":     {send: method("OPTIONS"), answers: []int{405}, reason: "method"},
		"TRACE is not allowed":       {send: method("TRACE"), answers: []int{405}, reason: "method"},
		"CONNECT is not allowed":     {send: method("CONNECT"), answers: []int{405}, reason: "method"},
		"a method in small letters is not allowed": {
			send: line("post /webhooks/truv HTTP/1.1"), answers: []int{405}, reason: "method"},
		"OPTIONS of the whole server is not found": {
			send: message("OPTIONS * HTTP/1.1", host, "", ""), answers: []int{404}, reason: "route"},
		"a tunnel to elsewhere is not found": {
			send:    message("CONNECT elsewhere:443 HTTP/1.1", "Host: elsewhere:443", "", ""),
			answers: []int{404}, reason: "route"},
		"bytes that are no HTTP are refused": {
			send: "\x16\x03\x01 hello\r\n\r\n", answers: []int{400}},
	} {
		t.Run(name, func(t *testing.T) { testOnTheWire(t, row) })
	}
}

func TestConnectionsOnTheWire(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	usual := whole(connected)
	unsigned := message(atTruv, host, lengthOf(connected), "", connected)
	for name, row := range map[string]wireTest{
		"two webhooks in one write are both stored": {
			send: usual + whole(another), answers: []int{200, 200}, open: true, stored: 2},
		"nothing is read behind a forgery": {
			send:    strings.Replace(usual, "link-", "lonk-", 1) + whole(another),
			answers: []int{401}, reason: "sig_mismatch"},
		"nothing is read behind a request that cannot be signed": {
			send: unsigned + usual, answers: []int{401}, reason: "sig_missing"},
		"a signed webhook that waits for 100 Continue gets it, and 200": {
			send:    whole(connected, "Expect: 100-continue"),
			answers: []int{100, 200}, open: true, stored: 1},
		"a request that cannot be signed is not told to continue": {
			send:    message(atTruv, host, "Expect: 100-continue", lengthOf(connected), "", ""),
			answers: []int{401}, reason: "sig_missing"},
		"a body declared too large is not told to continue": {
			send: message(head(truvPath, "", "Expect: 100-continue",
				"Content-Length: 99999999"), ""),
			answers: []int{413}, reason: "too_large"},
		"another expectation is refused": {
			send: whole(connected, "Expect: 200-ok"), answers: []int{417}},
		"an upgrade to HTTP/2 is not taken up, and the webhook is stored": {
			send: whole(connected, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
				"HTTP2-Settings: AAMAAABkAAQAAP__"),
			answers: []int{200}, open: true, stored: 1},
		"an upgrade to a WebSocket is not taken up, and the webhook is stored": {
			send:    whole(connected, "Connection: Upgrade", "Upgrade: websocket"),
			answers: []int{200}, open: true, stored: 1},
		"HTTP/2 without an upgrade is refused": {send: preface, answers: []int{404}, reason: "route"},
	} {
		t.Run(name, func(t *testing.T) { testOnTheWire(t, row) })
	}
}
