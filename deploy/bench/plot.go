package bench

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/template"
)

// Sizes of the plot, in pixels.
const (
	panelWidth  = 250
	panelHeight = 130
	panelLeft   = 56
	panelTop    = 44
	panelBelow  = 60
	panelRight  = 20
)

// axis is a logarithmic axis, from one power of ten to another.
type axis struct {
	from, to int
	// zero is true if the axis begins with 0, one decade before its least number.
	zero bool
}

// axisOf returns the axis of the values. A value of 0 is at the beginning.
func axisOf(values []float64) axis {
	a := axis{from: math.MaxInt, to: math.MinInt}
	for _, v := range values {
		if v <= 0 {
			a.zero = true
			continue
		}
		a.from = min(a.from, int(math.Floor(math.Log10(v))))
		a.to = max(a.to, int(math.Ceil(math.Log10(v))))
	}
	if a.from > a.to { // no positive value
		return axis{0, 1, a.zero}
	}
	if a.zero {
		a.from--
	}
	a.to = max(a.to, a.from+1)
	return a
}

// at returns the place of a value on the axis, from 0 to 1.
func (a axis) at(v float64) float64 {
	if v <= 0 {
		return 0
	}
	return (math.Log10(v) - float64(a.from)) / float64(a.to-a.from)
}

// tick is a label on an axis, at a place from 0 to 1.
type tick struct {
	At   float64
	Text string
}

// ticks labels the powers of ten.
func (a axis) ticks() (ticks []tick) {
	for power := a.from; power <= a.to; power++ {
		text := powerOfTen(power)
		if a.zero && power == a.from {
			text = "0"
		}
		ticks = append(ticks, tick{a.at(math.Pow10(power)), text})
	}
	return ticks
}

// powerOfTen writes a power of ten in a few characters: 0.1, 100, 10 k, 1 M.
func powerOfTen(power int) string {
	switch {
	case power >= 6:
		return fmt.Sprintf("%.0f M", math.Pow10(power-6))
	case power >= 3:
		return fmt.Sprintf("%.0f k", math.Pow10(power-3))
	default:
		return fmt.Sprintf("%g", math.Pow10(power))
	}
}

// series is a line of a panel.
type series struct {
	Class string
	// Points are the corners of the line, and Dots the same as marks.
	Points string
	Dots   []dot
}

type dot struct{ X, Y float64 }

// panel is a diagram of one measure over one load.
type panel struct {
	X, Y  float64
	Title string
	// Below is the title of the axis below.
	Below  string
	Width  int
	Height int
	Xs, Ys []tick
	Series []series
}

// plot is what the template draws.
type plot struct {
	Width, Height int
	Panels        []panel
}

// plotGrowth draws a column of panels for each load as an SVG picture, for light and dark pages.
func plotGrowth(w io.Writer, measured []growth) error {
	rows := []measure{rateMeasure, latencyMeasure, residentMeasure}
	p := plot{
		Width:  len(measured)*(panelLeft+panelWidth) + panelRight,
		Height: panelTop + len(rows)*(panelHeight+panelBelow),
	}
	for row, m := range rows {
		var values []float64
		for _, g := range measured {
			values = append(values, g.values(m)...)
		}
		ys := axisOf(values)
		for column, g := range measured {
			one := g.panel(m, ys)
			one.X = float64(column*(panelLeft+panelWidth) + panelLeft)
			one.Y = float64(panelTop + row*(panelHeight+panelBelow))
			p.Panels = append(p.Panels, one)
		}
	}
	return svg.Execute(w, p)
}

// values are all figures of a measure.
func (g growth) values(m measure) (values []float64) {
	for _, s := range g.reached() {
		values = append(values, m.of(s.grown), m.of(s.baseline))
	}
	return values
}

// panel draws a measure over the load.
func (g growth) panel(m measure, ys axis) panel {
	var counts []float64
	for _, s := range g.reached() {
		counts = append(counts, float64(s.n))
	}
	xs := axisOf(counts)
	line := func(class string, of func(step) cost) series {
		s := series{Class: class}
		var points strings.Builder
		for _, step := range g.reached() {
			at := dot{
				X: panelPadding + xs.at(float64(step.n))*(panelWidth-2*panelPadding),
				Y: (1 - ys.at(m.of(of(step)))) * panelHeight,
			}
			s.Dots = append(s.Dots, at)
			fmt.Fprintf(&points, "%.1f,%.1f ", at.X, at.Y)
		}
		s.Points = strings.TrimSpace(points.String())
		return s
	}
	p := panel{
		Title: m.name + ", " + m.unit, Below: g.load.name, Width: panelWidth, Height: panelHeight,
		Series: []series{
			line("baseline", func(s step) cost { return s.baseline }),
			line("grown", func(s step) cost { return s.grown }),
		},
	}
	for _, t := range xs.ticks() {
		p.Xs = append(p.Xs, tick{panelPadding + t.At*(panelWidth-2*panelPadding), t.Text})
	}
	for _, t := range ys.ticks() {
		p.Ys = append(p.Ys, tick{(1 - t.At) * panelHeight, t.Text})
	}
	return p
}

// panelPadding is the room at both ends of the axis below, for the labels.
const panelPadding = 14

var svg = template.Must(template.New("svg").Parse(
	`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" role="img">
<title>Rate, latency and memory of the broker under growing loads</title>
<style>
text { font: 11px sans-serif; fill: #333 }
.title { font-weight: bold }
.grid { stroke: #999; stroke-opacity: .4 }
.axis { stroke: #999 }
polyline { fill: none; stroke-width: 2 }
.grown { stroke: #06c; fill: #06c }
.baseline { stroke: #999; fill: #999 }
polyline.baseline { stroke-dasharray: 5 4 }
polyline.grown, polyline.baseline { fill: none }
text.grown, text.baseline { stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #ddd }
.grown { stroke: #6bf; fill: #6bf }
}
</style>
<text class="grown" x="56" y="14">● under the load</text>
<text class="baseline" x="166" y="14">● baseline at the same time</text>
{{range .Panels}}{{$p := .}}<g transform="translate({{.X}} {{.Y}})">
<text class="title" y="-8">{{.Title}}</text>
{{range .Ys -}}
<line class="grid" x2="{{$p.Width}}" y1="{{printf "%.1f" .At}}" y2="{{printf "%.1f" .At}}"/>
<text x="-6" y="{{printf "%.1f" .At}}" dy="4" text-anchor="end">{{.Text}}</text>
{{end}}<line class="axis" x2="{{.Width}}" y1="{{.Height}}" y2="{{.Height}}"/>
{{range .Xs -}}
<text x="{{printf "%.1f" .At}}" y="{{$p.Height}}" dy="14" text-anchor="middle">{{.Text}}</text>
{{end}}<text x="{{.Width}}" y="{{.Height}}" dy="28" text-anchor="end">{{.Below}}</text>
{{range .Series}}<polyline class="{{.Class}}" points="{{.Points}}"/>
{{$class := .Class}}{{range .Dots -}}
<circle class="{{$class}}" cx="{{printf "%.1f" .X}}" cy="{{printf "%.1f" .Y}}" r="3"/>
{{end}}{{end}}</g>
{{end}}</svg>
`))
