package cluster

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// wave is a curve up and down again.
func wave(length time.Duration) curve {
	c := curve{replicasMax: 4, callsMax: 16}
	for i := range 21 {
		c.samples = append(c.samples, sample{
			at: length * time.Duration(i) / 20, replicas: min(i, 20-i, 4),
			backlog: 100 * min(i, 20-i), calls: float64(min(i, 20-i)),
		})
	}
	return c
}

// drawn is a picture as its reader sees it.
type drawn struct {
	points []string
	texts  []string
}

func draw(t *testing.T, c curve) (d drawn) {
	t.Helper()
	var picture bytes.Buffer
	if err := c.writeSVG(&picture); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(&picture)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			for _, a := range token.Attr {
				if a.Name.Local == "points" {
					d.points = append(d.points, a.Value)
				}
			}
		case xml.CharData:
			d.texts = append(d.texts, strings.TrimSpace(string(token)))
		}
	}
}

func TestPictureOfACurve(t *testing.T) {
	d := draw(t, wave(200*time.Second))
	if len(d.points) != 3 {
		t.Fatalf("%d lines, want one each for replicas, ready work and calls", len(d.points))
	}
	all := strings.Join(d.texts, "\n")
	for _, want := range []string{
		"replicas", "at most 4", "ready work", "1000", "calls a second", "rate 16", "0 s", "180 s",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no text %q in\n%s", want, all)
		}
	}
	for _, points := range d.points {
		for pair := range strings.FieldsSeq(points) {
			var x, y float64
			if _, err := fmt.Sscanf(pair, "%f,%f", &x, &y); err != nil {
				t.Fatalf("%q: %v", pair, err)
			}
			if x < panelLeft || x > pictureWidth-panelRight || y < panelTop {
				t.Errorf("the point %q is outside of the panels", pair)
			}
		}
	}
}

func TestPictureHasFewLabelsOfTime(t *testing.T) {
	for _, length := range []time.Duration{0, time.Second, 3 * time.Minute, 40 * time.Minute} {
		if n := len(wave(length).ticks()); n < 1 || n > ticksMax+1 {
			t.Errorf("%d labels for %v, want 1 to %d", n, length, ticksMax+1)
		}
	}
}

func TestCallsBetween(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var calls []time.Time
	for _, ms := range []int{0, 999, 1000, 1500, 2000} {
		calls = append(calls, start.Add(time.Duration(ms)*time.Millisecond))
	}
	if n := callsBetween(calls, start.Add(time.Second), start.Add(2*time.Second)); n != 2 {
		t.Errorf("%d calls in the second second, want 2", n)
	}
}
