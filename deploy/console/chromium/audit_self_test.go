package chromium_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sound is a page without a fault, with a place for one.
const sound = `<!doctype html><html lang="en"><title>Sound</title><link rel="icon" href="data:,">
<body style="color: #222; background: #fff"><main><h1>Sound</h1>
<p><a href="/">Home</a> <button>Go</button></p>%s</main></body></html>`

// The rows break a sound page, so that a fault in a page of ours cannot go unseen.
func TestTheAuditFinds(t *testing.T) {
	tests := []struct {
		name, add, want string
		// edit replaces a part of the sound page.
		edit [2]string
	}{
		{name: "nothing in a sound page"},
		{name: "a page without lang", edit: [2]string{` lang="en"`, ""}, want: "no lang"},
		{name: "a page without title", edit: [2]string{"<title>Sound</title>", ""}, want: "no title"},
		{name: "a page without heading", edit: [2]string{"h1>", "h2>"}, want: "0 <h1>"},
		{name: "a heading that skips a level", add: "<h3>Deep</h3>", want: "follows a heading of level 1"},
		{name: "an id twice", add: `<p id="a"></p><p id="a"></p>`, want: "have the id a"},
		{name: "a table without heads", add: "<table><tr><td>1</table>", want: "has no <th>"},
		{name: "a drawing without text", add: `<svg role="img" width="9" height="9"></svg>`, want: "no text in its place"},
		{name: "a field without a name", add: `<input>`, want: "a textbox has no name"},
		{name: "a button without a name", add: `<button></button>`, want: "a button has no name"},
		{name: "a page that is too wide", add: `<p style="width: 3000px">wide</p>`, want: "the page is 3"},
		{name: "grey on white", add: `<p class="dim" style="color: #999">dim</p>`, want: `class "dim" has the contrast 2.8`},
		{name: "text that is half opaque", add: `<p class="dim" style="opacity: .4">dim</p>`, want: `class "dim" has the contrast`},
		{name: "a color of another notation", add: `<p class="dim" style="color: oklch(70% 0 0)">dim</p>`, want: `class "dim" has the contrast`},
		{name: "a placeholder that is dim", add: `<style>::placeholder { color: #aaa }</style><input aria-label="x" placeholder="x">`, want: "the placeholder of <input>"},
		{name: "a bar of progress without a name", add: `<progress value="1" max="2"></progress>`, want: "a progressbar has no name"},
		{name: "a control that Tab does not reach", add: `<a href="/x" tabindex="0" onfocus="blur()">x</a>`, want: "Tab does not reach <a"},
		{name: "a focus that is not seen", add: `<a href="/x" style="outline: none">x</a>`, want: `the focus of <a> "x" is not seen`},
		{name: "an alert", add: `<script>alert("hello")</script>`, want: "a dialog opens"},
		{name: "an error of a script", add: `<script>null.x</script>`, want: "a script fails"},
		{name: "a request to another server", add: `<img alt="x" src="http://192.0.2.1/x.png">`, want: "asks another server"},
	}
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body = fmt.Sprintf(sound, tt.add)
			if tt.edit[0] != "" {
				body = strings.ReplaceAll(body, tt.edit[0], tt.edit[1])
			}
			b := open(t, server.URL)
			b.visit("/")
			found := append(b.audit(), b.walk()...)
			found = append(found, b.takeFaults()...)
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("found %q", found)
			case tt.want != "" && !strings.Contains(strings.Join(found, "\n"), tt.want):
				t.Errorf("found %q, want %q", found, tt.want)
			}
		})
	}
}
