package chromium_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var (
	//go:embed testdata/audit.js
	auditScript string
	//go:embed testdata/focus.js
	focusScript string
)

// audit returns what is wrong with the page for a person who looks.
func (b *tab) audit() []string {
	b.t.Helper()
	return append(eval[[]string](b, "("+auditScript+")()"), b.nameless()...)
}

// rolesWithName are the roles of what a person uses, and of images.
var rolesWithName = []string{
	"button", "checkbox", "combobox", "DisclosureTriangle", "image", "img", "link", "listbox",
	"progressbar", "radio", "searchbox", "slider", "spinbutton", "textbox",
}

// nameless returns a line for each control that a screen reader cannot name.
func (b *tab) nameless() (faults []string) {
	b.t.Helper()
	b.do("read the accessibility tree", func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, on *chromedp.Target) error {
			tree, err := cdp.Call(ctx, on, accessibility.GetFullAXTree,
				accessibility.GetFullAXTreeParams{})
			if err != nil {
				return err
			}
			for _, node := range tree.Nodes {
				if node.Ignored || node.Role == nil {
					continue
				}
				role := textOf(node.Role)
				if slices.Contains(rolesWithName, role) && textOf(node.Name) == "" {
					faults = append(faults, fmt.Sprintf("a %s has no name", role))
				}
			}
			return nil
		}))
	})
	return faults
}

func textOf(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	text := ""
	if err := json.Unmarshal(v.Value, &text); err != nil {
		return ""
	}
	return text
}

const (
	// ofPage is the number of the page itself, if no control has the focus.
	ofPage = -1
	// stopsMax is how many parts of a page may scroll by themselves.
	stopsMax = 10
	// walksMax is how often a page with a fault is walked through.
	walksMax = 3
)

// focus is what has the focus of the keyboard.
type focus struct {
	// Number is that of the control, ofPage, or less for something else.
	Number int    `json:"number"`
	IsSeen bool   `json:"seen"`
	What   string `json:"what"`
}

// walk goes through the page with the key Tab, and returns a line for each control that Tab does
// not reach or whose focus is not seen. A live page may change on the way, so a fault must be there
// each time.
func (b *tab) walk() (faults []string) {
	b.t.Helper()
	for range walksMax {
		faults = b.walkOnce()
		if len(faults) == 0 {
			break
		}
	}
	return faults
}

func (b *tab) walkOnce() (faults []string) {
	b.t.Helper()
	count := eval[int](b, "document.activeElement?.blur(), ("+focusScript+").controls()")
	reached := make([]bool, count)
	for range 2*count + stopsMax { // a part that scrolls has the focus too
		b.run("press Tab", chromedp.KeyEvent(kb.Tab))
		now := eval[focus](b, "("+focusScript+").focused()")
		if now.Number == ofPage {
			break // after the last control
		}
		if now.Number >= 0 {
			reached[now.Number] = true
		}
		if !now.IsSeen {
			faults = append(faults, fmt.Sprintf("the focus of %s is not seen", now.What))
		}
	}
	for number, isReached := range reached {
		if !isReached {
			what := eval[string](b, fmt.Sprintf("(%s).html(%d)", focusScript, number))
			if what != "" {
				faults = append(faults, "Tab does not reach "+what)
			}
		}
	}
	return faults
}
