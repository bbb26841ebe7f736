package console

import (
	"fmt"
	"time"

	"github.com/wagewire/wagewire/deploy/health"
	"github.com/wagewire/wagewire/schema"
)

const (
	// sampleEvery is the least time between two samples, and samplesMax how many are kept: half an
	// hour.
	sampleEvery = 10 * time.Second
	samplesMax  = 180
)

// sample is a few numbers of a state, for charts of the recent past.
type sample struct {
	at time.Time
	// events and completions are the sequences of the newest messages.
	events, completions uint64
	// lag is the age of the oldest event that is ready or in hand, by queue.
	lag map[string]time.Duration
}

func sampleOf(s health.State) sample {
	one := sample{at: s.At, lag: map[string]time.Duration{}}
	for _, l := range s.Streams {
		switch l.Name {
		case schema.EventsStream:
			one.events = l.Last
		case schema.CompletionsStream:
			one.completions = l.Last
		}
	}
	for _, q := range s.Queues {
		if !q.Oldest.IsZero() {
			one.lag[q.Name] = max(0, s.At.Sub(q.Oldest))
		}
	}
	return one
}

// keepSamples returns a list of its own with the sample added, if it is not too near to the one
// before.
func keepSamples(samples []sample, next sample) []sample {
	last := len(samples) - 1
	if last >= 0 && next.at.Sub(samples[last].at) < sampleEvery {
		return samples
	}
	kept := append([]sample{}, samples[max(0, len(samples)-samplesMax+1):]...)
	return append(kept, next)
}

// gapMin is the time between two samples from which on the line between them is left out: the
// broker was away, or slow.
const gapMin = time.Minute

// chart is a line of values over time, for an inline SVG.
type chart struct {
	// title says what the line shows, and text its last value.
	title, text string
	points      []point // oldest first
}

// point is a value at a time.
type point struct {
	at    time.Time
	value float64
}

// Sizes of a chart in the units of its viewBox.
const (
	chartWidth  = 240
	chartHeight = 48
)

// rateChart is the number of messages a second, of a sequence that grows.
func rateChart(title string, samples []sample, sequence func(sample) uint64) chart {
	c := chart{title: title, text: "no rate yet"}
	for i := 1; i < len(samples); i++ {
		seconds := samples[i].at.Sub(samples[i-1].at).Seconds()
		stored := float64(sequence(samples[i])) - float64(sequence(samples[i-1]))
		c.points = append(c.points, point{samples[i].at, max(0, stored) / max(1, seconds)})
	}
	if n := len(c.points); n > 0 {
		c.text = fmt.Sprintf("%.1f a second", c.points[n-1].value)
	}
	return c
}

// lagChart is the age of the oldest unfinished event of the queue in seconds, or of all queues if
// the name is "".
func lagChart(title, queue string, samples []sample) chart {
	c := chart{title: title, text: "nothing unfinished"}
	for _, one := range samples {
		var oldest time.Duration
		for name, lag := range one.lag {
			if queue == "" || name == queue {
				oldest = max(oldest, lag)
			}
		}
		c.points = append(c.points, point{one.at, oldest.Seconds()})
	}
	if n := len(c.points); n > 0 && c.points[n-1].value > 0 {
		c.text = fmt.Sprintf("%.0f s", c.points[n-1].value)
	}
	return c
}

// highest is the greatest value, and at least 1: a line of zeros lies at the bottom.
func (c chart) highest() float64 {
	top := 1.0
	for _, p := range c.points {
		top = max(top, p.value)
	}
	return top
}

// width is the time from the first point to the last.
func (c chart) width() time.Duration {
	if len(c.points) == 0 {
		return 0
	}
	return c.points[len(c.points)-1].at.Sub(c.points[0].at)
}

// lines are the points of the polylines: one, and one more after each gap.
func (c chart) lines() []string {
	var lines []string
	top := c.highest()
	for i, p := range c.points {
		x := chartWidth * p.at.Sub(c.points[0].at).Seconds() / max(1, c.width().Seconds())
		text := fmt.Sprintf("%.1f,%.1f", x, chartHeight-1-(chartHeight-2)*p.value/top)
		if i == 0 || p.at.Sub(c.points[i-1].at) > gapMin {
			lines = append(lines, text)
		} else {
			lines[len(lines)-1] += " " + text
		}
	}
	return lines
}

// label is the chart in words.
func (c chart) label() string { return c.title + ": " + c.text + ", " + c.scale() }

// scale says what the height and the width of the chart stand for.
func (c chart) scale() string {
	if len(c.points) == 0 {
		return "the chart begins with the console"
	}
	return fmt.Sprintf("up to %.0f, the last %s", c.highest(), c.width().Round(time.Second))
}
