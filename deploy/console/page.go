package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/a-h/templ"
	"go.uber.org/zap"
)

// page is the frame of what is shown.
type page struct {
	title string
	// isLive: the part #live is loaded again when the server says "changed". Every page has the
	// part, so that a live page can become one that stays as it is: the report of a run.
	isLive bool
	// on is a DOM event after which the part is loaded, too, besides "state".
	on string
}

// frame is what layout.templ shows around the body.
type frame struct {
	page

	person person
	// canLogIn: a token may make somebody known.
	canLogIn bool
	path     string
	known    known
	// paused: the person has asked for a page that stays as it is. turn is the address of the same
	// page, with or without changes.
	paused bool
	turn   templ.SafeURL
}

// pageNotMade is what is shown instead of a page that cannot be made.
const pageNotMade = "wagewire console: this page could not be made: see the log"

type personKey struct{}

func withPerson(r *http.Request, p person) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), personKey{}, p))
}

// personOf returns the person of the request.
func personOf(r *http.Request) person {
	p, _ := r.Context().Value(personKey{}).(person)
	return p
}

// render writes a page. The page is made before the first byte is sent, so an error is a whole page
// too.
func (c *Console) render(
	w http.ResponseWriter, r *http.Request, status int, p page, body templ.Component,
) {
	f := frame{
		page:     p,
		person:   personOf(r),
		canLogIn: c.TokensFile != "",
		path:     r.URL.Path,
	}
	if c.mayRead(f.person) {
		f.known, _ = c.watch.get()
	}
	if f.isLive {
		f.pause(r.URL)
	}
	var out bytes.Buffer
	if err := layout(f, body).Render(r.Context(), &out); err != nil {
		c.log.Error("page not made", zap.String("title", p.title), zap.Error(err))
		http.Error(w, pageNotMade, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// Not every writer has deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeFor))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(out.Bytes()) // the browser has gone
	}
}

// pause keeps a live page as it is, if its address says so, and finds the address of the other one.
func (f *frame) pause(at *url.URL) {
	query := at.Query()
	f.paused = query.Get("live") == "no"
	if f.paused {
		f.isLive = false
		query.Del("live")
	} else {
		query.Set("live", "no")
	}
	f.turn = templ.SafeURL("?" + query.Encode())
}

// fail shows a page that says why there is no other.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	c.render(w, r, status, page{title: http.StatusText(status)}, problem(text))
}

//go:embed static
var static embed.FS

// contentTypes are the types of the static files, by their extension.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// sendStatic sends a file of the style or of htmx. Its address has a part of its hash, so a browser
// may keep it.
func sendStatic(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	text, err := static.ReadFile("static/" + name)
	kind, isKnown := contentTypes[path.Ext(name)]
	if err != nil || !isKnown {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(text) // the browser has gone
}

// hashLength is how many digits of a file's hash its address has.
const hashLength = 12

// staticURL is the address of a static file. It changes with the file.
func staticURL(name string) string { return staticURLs()[name] }

// staticURLs are the addresses of all static files, by their names.
var staticURLs = sync.OnceValue(func() map[string]string {
	urls := map[string]string{}
	files, err := static.ReadDir("static")
	for _, file := range files {
		var text []byte
		if text, err = static.ReadFile("static/" + file.Name()); err != nil {
			break
		}
		sum := sha256.Sum256(text)
		urls[file.Name()] = "/static/" + file.Name() + "?" + hex.EncodeToString(sum[:])[:hashLength]
	}
	if err != nil {
		panic(err) // the files are embedded
	}
	return urls
})
