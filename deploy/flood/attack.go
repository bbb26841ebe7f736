package flood

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/wagewire/wagewire/deploy/fake"
)

// Attack is a row of the table of attacks.
type Attack struct {
	Name string
	// Does says in a few words what every connection does.
	Does string
	// Connections is how many connections are open at the same time.
	Connections int
	// perS is how many times in a second an opening is sent, after the first of each connection.
	perS rate.Limit
	// opening returns the bytes that a connection sends first.
	opening func(target) []byte
	then    conduct
}

// conduct is what a connection does after its opening.
type conduct int

const (
	// hold sends nothing more and waits until ingress closes the connection.
	hold conduct = iota
	// drip sends a byte after each dripEvery.
	drip
	// repeat sends the opening again after each answer.
	repeat
)

const (
	dripEvery = time.Second
	// overCap connections are more than ingress keeps open.
	overCap = 2200
	// many connections are more than the webhooks that ingress has in hand.
	many = 1200
	// fast is how many connections are enough to keep ingress busy.
	fast = 16

	// slowPerS replaces connections that ingress has cut. The rate is small enough to leave the
	// processor of a small machine to ingress.
	slowPerS rate.Limit = 200
	// largePerS is lower, because every opening is large.
	largePerS rate.Limit = 50

	oldBodyBytes   = 256 << 10
	bodyBytes      = 896 << 10
	missingBytes   = 44
	headerBytes    = 15 << 10
	smallBodyBytes = 300
)

// Attacks returns the table of attacks.
func Attacks() []Attack {
	return []Attack{
		{
			Name: "slow bodies", Does: "sends one byte of a body in a second",
			Connections: many, perS: slowPerS, then: drip,
			opening: func(t target) []byte { return t.unsigned(http.MethodPost, oldBodyBytes) },
		},
		{
			Name: "slow headers", Does: "sends one byte of a header in a second",
			Connections: many, perS: slowPerS, then: drip,
			opening: func(t target) []byte { return t.unfinishedHeader(0) },
		},
		{
			Name: "unfinished headers", Does: "sends most of a large header and waits",
			Connections: overCap, perS: slowPerS, then: hold,
			opening: func(t target) []byte { return t.unfinishedHeader(headerBytes) },
		},
		{
			Name: "large bodies", Does: "sends 262,100 bytes of a body and waits",
			Connections: many, perS: largePerS, then: hold,
			opening: func(t target) []byte { return t.unfinishedBody(oldBodyBytes) },
		},
		{
			Name: "largest bodies", Does: "sends 896 KiB of a body but the end, and waits",
			Connections: many, perS: largePerS, then: hold,
			opening: func(t target) []byte { return t.unfinishedBody(bodyBytes) },
		},
		{
			Name: "small forgeries", Does: "sends small webhooks with wrong signatures, fast",
			Connections: fast, perS: rate.Inf, then: repeat,
			opening: func(t target) []byte { return t.forged(smallBodyBytes) },
		},
		{
			Name: "large forgeries", Does: "sends webhooks of 896 KiB with wrong signatures, fast",
			Connections: fast, perS: rate.Inf, then: repeat,
			opening: func(t target) []byte { return t.forged(bodyBytes) },
		},
		{
			Name: "gets", Does: "asks for the address of webhooks with GET, fast",
			Connections: fast, perS: rate.Inf, then: repeat,
			opening: func(t target) []byte { return t.unsigned(http.MethodGet, 0) },
		},
		{
			Name: "unsigned posts", Does: "sends webhooks without a signature, fast",
			Connections: fast, perS: rate.Inf, then: repeat,
			opening: func(t target) []byte {
				return t.unsigned(http.MethodPost, smallBodyBytes, body(smallBodyBytes)...)
			},
		},
		{
			Name: "held connections", Does: "opens a connection and sends nothing",
			Connections: overCap, perS: slowPerS, then: hold,
			opening: func(target) []byte { return nil },
		},
		{
			Name: "idle connections", Does: "sends one forged webhook and keeps the connection",
			Connections: overCap, perS: slowPerS, then: hold,
			opening: func(t target) []byte { return t.forged(smallBodyBytes) },
		},
	}
}

// Find returns the attack with the name.
func Find(name string) (Attack, error) {
	i := slices.IndexFunc(Attacks(), func(a Attack) bool { return a.Name == name })
	if i < 0 {
		return Attack{}, fmt.Errorf("no attack %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return Attacks()[i], nil
}

// Names lists the attacks.
func Names() []string {
	var names []string
	for _, a := range Attacks() {
		names = append(names, a.Name)
	}
	return names
}

// target is what an opening is made for.
type target struct{ host, provider string }

// unsigned is a request without a signature, with a declared length of its body and the bytes of
// the body that are sent.
func (t target) unsigned(method string, length int, sent ...byte) []byte {
	head := fmt.Appendf(nil, "%s /webhooks/%s HTTP/1.1\r\nHost: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		method, t.provider, t.host, length)
	return append(head, sent...)
}

// unfinishedBody is a request without a signature and without the end of its body.
func (t target) unfinishedBody(length int) []byte {
	return t.unsigned(http.MethodPost, length, body(length-missingBytes)...)
}

// unfinishedHeader is the beginning of a request, with a header value of so many bytes.
func (t target) unfinishedHeader(length int) []byte {
	return fmt.Appendf(nil, "POST /webhooks/%s HTTP/1.1\r\nHost: %s\r\nX-Filler: %s",
		t.provider, t.host, strings.Repeat("a", length))
}

// forged is a complete request with a signature of the right form, made with a wrong key.
func (t target) forged(length int) []byte {
	text := body(length)
	header := http.Header{"Content-Type": {"application/json"}}
	key := "not-the-key-" + fake.Secret(t.provider)
	if err := fake.Sign(t.provider, header, key, time.Now(), text); err != nil {
		panic(err) // Start has checked the provider
	}
	request := fmt.Appendf(nil, "POST /webhooks/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n",
		t.provider, t.host, length)
	for name, values := range header {
		request = fmt.Appendf(request, "%s: %s\r\n", name, values[0])
	}
	return append(append(request, "\r\n"...), text...)
}

// body is a JSON text of so many bytes.
func body(length int) []byte {
	const before = `{"event":"employment.added","filler":"`
	const after = `"}`
	filler := strings.Repeat("a", length-len(before)-len(after))
	return []byte(before + filler + after)
}
