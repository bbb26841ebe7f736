package cluster

import (
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"
)

// sample is the state of a worker at a time.
type sample struct {
	// at is the time since the first sample.
	at time.Duration
	// replicas are the pods that the Deployment has, ready those that work.
	replicas, ready int
	// backlog is the number of events that are ready to be taken or in hand.
	backlog int
	// calls are the calls a second since the sample before.
	calls float64
}

// callsBetween counts the calls that arrived at from or later, and before to.
func callsBetween(calls []time.Time, from, to time.Time) (n int) {
	for _, at := range calls {
		if !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// curve is how a worker scaled: the samples, the most replicas that it may have, and how many calls
// a second the budget allows.
type curve struct {
	samples     []sample
	replicasMax int
	callsMax    float64
}

// Sizes of the picture, in pixels.
const (
	pictureWidth = 720
	panelLeft    = 60
	panelRight   = 20
	panelHeight  = 110
	panelGap     = 46
	panelTop     = 34
)

// panel is one of the diagrams, which stand one above the other and share the axis of time.
type panel struct {
	Title string
	// Top and Bottom are the y of the highest value and of zero.
	Top, Bottom float64
	// Most is the label of the highest value.
	Most string
	// Points are the corners of the line. Limit is the y of the dashed line, 0 without a limit.
	Points string
	Limit  float64
	// LimitTitle names the dashed line.
	LimitTitle string
}

// picture is what the template draws.
type picture struct {
	Width, Height, Left, Right, AxisY int
	Panels                            []panel
	Seconds                           []tick
}

// tick is a label of the axis of time.
type tick struct {
	X    float64
	Text string
}

// writeSVG draws the curve as an SVG picture for light and dark pages.
func (c curve) writeSVG(w io.Writer) error {
	p := picture{Width: pictureWidth, Left: panelLeft, Right: pictureWidth - panelRight}
	p.Panels = []panel{
		c.panel(0, "replicas", "at most %.0f", float64(c.replicasMax),
			func(s sample) float64 { return float64(s.replicas) }),
		c.panel(1, "ready work (events)", "", 0,
			func(s sample) float64 { return float64(s.backlog) }),
		c.panel(2, "calls a second", "rate %.0f", c.callsMax,
			func(s sample) float64 { return s.calls }),
	}
	p.AxisY = int(p.Panels[len(p.Panels)-1].Bottom) + 16
	p.Height = p.AxisY + 12
	p.Seconds = c.ticks()
	return svg.Execute(w, p)
}

// panel makes the i-th panel. A limit of 0 is no limit.
func (c curve) panel(
	i int, title, limitTitle string, limit float64, value func(sample) float64,
) panel {
	most := max(limit, 1)
	for _, s := range c.samples {
		most = max(most, value(s))
	}
	p := panel{Title: title, Most: fmt.Sprintf("%.0f", most)}
	p.Top = float64(panelTop + i*(panelHeight+panelGap))
	p.Bottom = p.Top + panelHeight
	y := func(v float64) float64 { return p.Bottom - v/most*panelHeight }
	if limit > 0 {
		p.Limit = y(limit)
		p.LimitTitle = fmt.Sprintf(limitTitle, limit)
	}
	var points strings.Builder
	for i, s := range c.samples {
		if i > 0 { // a step: the value holds until the next sample
			fmt.Fprintf(&points, "%.1f,%.1f ", c.x(s.at), y(value(c.samples[i-1])))
		}
		fmt.Fprintf(&points, "%.1f,%.1f ", c.x(s.at), y(value(s)))
	}
	p.Points = strings.TrimSpace(points.String())
	return p
}

// length is the time of the last sample, a second at least.
func (c curve) length() time.Duration {
	if len(c.samples) == 0 {
		return time.Second
	}
	return max(time.Second, c.samples[len(c.samples)-1].at)
}

// x returns the place of a time on the axis.
func (c curve) x(at time.Duration) float64 {
	const width = pictureWidth - panelLeft - panelRight
	return panelLeft + width*at.Seconds()/c.length().Seconds()
}

// ticksMax is how many labels the axis of time has at most.
const ticksMax = 12

// ticks labels the axis of time with multiples of 10 s, 30 s or minutes.
func (c curve) ticks() (ticks []tick) {
	every := 10 * time.Second
	for _, longer := range []time.Duration{30 * time.Second, time.Minute, 5 * time.Minute} {
		if c.length()/every >= ticksMax {
			every = longer
		}
	}
	for at := time.Duration(0); at <= c.length(); at += every {
		ticks = append(ticks, tick{X: c.x(at), Text: fmt.Sprintf("%.0f s", at.Seconds())})
	}
	return ticks
}

var svg = template.Must(template.New("svg").Parse(
	`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" role="img">
<title>Replicas, ready work and calls a second of a worker, over time</title>
<style>
text { font: 12px sans-serif; fill: #333 }
.axis { stroke: #999 }
.line { fill: none; stroke: #06c; stroke-width: 2 }
.limit { stroke: #c30; stroke-dasharray: 6 4 }
.title { font-weight: bold }
@media (prefers-color-scheme: dark) {
text { fill: #ddd }
.line { stroke: #6bf }
.limit { stroke: #f86 }
}
</style>
{{range .Panels}}<text class="title" x="{{$.Left}}" y="{{.Top}}" dy="-10">{{.Title}}</text>
<text x="{{$.Left}}" y="{{.Top}}" dx="-8" dy="4" text-anchor="end">{{.Most}}</text>
<text x="{{$.Left}}" y="{{.Bottom}}" dx="-8" dy="4" text-anchor="end">0</text>
<line class="axis" x1="{{$.Left}}" y1="{{.Bottom}}" x2="{{$.Right}}" y2="{{.Bottom}}"/>
{{if .Limit}}<line class="limit" x1="{{$.Left}}" y1="{{.Limit}}" x2="{{$.Right}}" y2="{{.Limit}}"/>
<text x="{{$.Right}}" y="{{.Limit}}" dy="-4" text-anchor="end">{{.LimitTitle}}</text>
{{end}}<polyline class="line" points="{{.Points}}"/>
{{end}}{{range .Seconds}}<text x="{{.X}}" y="{{$.AxisY}}" text-anchor="middle">{{.Text}}</text>
{{end}}</svg>
`))
