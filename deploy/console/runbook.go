package console

import (
	"regexp"
	"strings"
)

// block is a part of a section of the runbook. The runbook is our own Markdown, and uses little of
// it: a test looks at each section.
type block struct {
	kind blockKind
	// text is that of a heading, a paragraph or lines of code.
	text string
	// items are those of a list, and rows those of a table: the first has the titles.
	items [][]block
	rows  [][]string
}

type blockKind int

const (
	paragraph blockKind = iota
	heading
	code
	numbered
	bullets
	table
)

const fence = "```"

// listItem is the beginning of an item of a list.
var listItem = regexp.MustCompile(`^(\d+\.|-) +`)

// blocksOf returns the blocks of a text.
func blocksOf(text string) []block {
	var blocks []block
	lines := strings.Split(text, "\n")
	for len(lines) > 0 {
		first := lines[0]
		n := 1 // lines of the block
		switch {
		case strings.TrimSpace(first) == "":
		case first == fence:
			n = 1 + count(lines[1:], func(line string) bool { return line != fence })
			blocks = append(blocks, block{kind: code, text: strings.Join(lines[1:n], "\n")})
			n++
		case strings.HasPrefix(first, "**") && strings.HasSuffix(first, "**"):
			blocks = append(blocks, block{kind: heading, text: strings.Trim(first, "*")})
		case strings.HasPrefix(first, "|"):
			n = count(lines, func(line string) bool { return strings.HasPrefix(line, "|") })
			blocks = append(blocks, block{kind: table, rows: rowsOf(lines[:n])})
		case listItem.MatchString(first):
			indent := len(listItem.FindString(first))
			n += count(lines[1:], func(line string) bool {
				return line == "" || strings.HasPrefix(line, strings.Repeat(" ", indent))
			})
			item := make([]string, n)
			item[0] = first[indent:]
			for i, line := range lines[1:n] {
				item[i+1] = line[min(indent, len(line)):]
			}
			kind := numbered
			if strings.HasPrefix(first, "-") {
				kind = bullets
			}
			if last := len(blocks) - 1; last < 0 || blocks[last].kind != kind {
				blocks = append(blocks, block{kind: kind})
			}
			list := &blocks[len(blocks)-1]
			list.items = append(list.items, blocksOf(strings.Join(item, "\n")))
		default:
			n += count(lines[1:], func(line string) bool {
				return line != "" && line != fence && !listItem.MatchString(line)
			})
			blocks = append(blocks, block{kind: paragraph, text: strings.Join(lines[:n], " ")})
		}
		lines = lines[min(n, len(lines)):]
	}
	return blocks
}

// count is how many lines at the beginning belong to a block.
func count(lines []string, belongs func(string) bool) int {
	for i, line := range lines {
		if !belongs(line) {
			return i
		}
	}
	return len(lines)
}

// rowsOf are the cells of a table, without the line under the titles.
func rowsOf(lines []string) [][]string {
	var rows [][]string
	for i, line := range lines {
		if i == 1 {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}

// blocks are the blocks of the section, without its title.
func (v findingView) blocks() []block {
	_, text, _ := strings.Cut(v.Section(), "\n")
	return blocksOf(text)
}
