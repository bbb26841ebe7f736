package console

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy"
)

// marks are what Markdown is written with.
var marks = regexp.MustCompile("[`|]|[*]{2}|(^|\\n)(#|- |\\d+[.] )")

func TestEachSectionOfTheRunbookIsAPage(t *testing.T) {
	b := newBenchWithoutBroker(t, Config{TokensFile: "…"})
	tag := regexp.MustCompile(`<[^>]*>`)
	number := regexp.MustCompile(`(?m)^\d+\. `)
	pre := regexp.MustCompile(`(?s)<pre>.*?</pre>`)
	for _, topic := range deploy.Topics() {
		got := b.get("/findings/"+topic.Name, ritaToken)
		b.wants(got, http.StatusOK, "<h3>What it means</h3>", "<h3>How to look</h3>",
			"<h3>What to do</h3>", "<ol>")
		_, page, _ := strings.Cut(got.body, "<h2>Runbook</h2>")
		page, _, _ = strings.Cut(page, "As a command")
		text := html.UnescapeString(tag.ReplaceAllString(pre.ReplaceAllString(page, ""), ""))
		if mark := marks.FindString(text); mark != "" {
			t.Errorf("%s: the page has %q of the Markdown", topic.Name, mark)
		}
		// Every word of the section is there.
		have := strings.Fields(html.UnescapeString(tag.ReplaceAllString(page, " ")))
		all := strings.Join(have, "")
		_, section, _ := strings.Cut(topic.Section(), "\n")
		section = number.ReplaceAllString(section, "") // a list has its numbers by itself
		for _, word := range strings.Fields(section) {
			word = strings.Trim(word, "`*|-.")
			if !strings.Contains(all, strings.ReplaceAll(word, "`", "")) {
				t.Errorf("%s: the page lacks %q", topic.Name, word)
			}
		}
	}
}

func TestBlocksOfTheRunbook(t *testing.T) {
	blocks := blocksOf("**A**\n\nb\nc\n\n```\nd\n\n  e\n```\n\n- f\n  g\n- h\n\n1. i\n\n   ```\n   j\n   ```\n2. k\n\n" +
		"| l | m |\n|---|---|\n| n | o |")
	kinds := []blockKind{heading, paragraph, code, bullets, numbered, table}
	if len(blocks) != len(kinds) {
		t.Fatalf("%d blocks: %+v", len(blocks), blocks)
	}
	for i, kind := range kinds {
		if blocks[i].kind != kind {
			t.Errorf("block %d is %+v", i, blocks[i])
		}
	}
	if blocks[1].text != "b c" || blocks[2].text != "d\n\n  e" || len(blocks[3].items) != 2 ||
		blocks[3].items[0][0].text != "f g" || len(blocks[4].items) != 2 ||
		blocks[4].items[0][1].text != "j" || blocks[5].rows[1][1] != "o" {
		t.Errorf("%+v", blocks)
	}
}
