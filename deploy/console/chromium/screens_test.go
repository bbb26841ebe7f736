package chromium_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wagewire/wagewire/deploy/fake"
)

const (
	screensDir = "../screens"
	// screenBytesMax is the size of the largest screenshot, and colorsMax how many colors it has.
	screenBytesMax = 120_000
	colorsMax      = 64
	// colorsMin is how many colors a page has that is not blank.
	colorsMin = 8
	// readings is how many points the charts of a screenshot have.
	readings = 8
)

// The screenshots are those of deploy/README.md. The ages and ids in them differ from run to run,
// so a committed one is compared by its size in pixels.
func TestScreenshots(t *testing.T) {
	tests := []struct {
		name, scheme string
		width        int64
		show         func(*installation, *tab)
	}{
		{"light", "light", desktop, func(_ *installation, b *tab) { b.visit("/") }},
		{"dark", "dark", desktop, func(_ *installation, b *tab) { b.visit("/") }},
		{"phone", "light", phone, func(in *installation, b *tab) {
			b.visit("/events/" + url.PathEscape(keyOf(in.dead)))
		}},
		{"plan", "light", desktop, func(in *installation, b *tab) { b.plan("redrive", in.dead.Account, deadLetters) }},
	}
	if *update {
		in, b := begin(t)
		in.work(b)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, b := begin(t)
			b.logIn(annaToken)
			b.show(tt.width, tt.scheme)
			tt.show(in, b)
			taken := b.screenshot()
			file := filepath.Join(screensDir, tt.name+".png")
			if *update {
				write(t, file, taken)
			}
			kept := read(t, file)
			if want := taken.Bounds(); kept.Bounds() != want {
				t.Errorf("%s has %v, and the page %v: go test ./deploy/console/chromium -run Screenshots -update",
					file, kept.Bounds(), want)
			}
			if n := len(taken.Palette); n < colorsMin {
				t.Errorf("the page has %d colors", n)
			}
			if size := len(encode(t, taken)); size > screenBytesMax {
				t.Errorf("%d bytes, want at most %d", size, screenBytesMax)
			}
		})
	}
}

// work sends webhooks until the charts of the overview have readings.
func (in *installation) work(b *tab) {
	b.t.Helper()
	b.visit("/")
	for reading := range readings {
		for range reading * reading % 23 {
			w, err := in.box.Fake.Event(in.box.Fake.Person(fake.PersonOptions{}), "income.added",
				fake.EventOptions{})
			if err == nil {
				err = in.send(b.t.Context(), w)
			}
			if err != nil {
				b.t.Fatal(err)
			}
		}
		b.until("the console has read the broker again", fmt.Sprintf(
			`document.querySelector("polyline").points.length > %d`, reading))
	}
}

// screenshot is what the window shows, with few colors.
func (b *tab) screenshot() *image.Paletted {
	b.t.Helper()
	var text []byte
	b.do("take a screenshot", func(ctx context.Context) (err error) {
		text, err = chromedp.Run(ctx, chromedp.CaptureScreenshot())
		return err
	})
	shot, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	few := image.NewPaletted(shot.Bounds(), paletteOf(shot))
	draw.Draw(few, few.Bounds(), shot, image.Point{}, draw.Src)
	return few
}

// paletteOf is the colors that a picture has most of.
func paletteOf(shot image.Image) (most color.Palette) {
	counts := map[color.RGBA]int{}
	for y := shot.Bounds().Min.Y; y < shot.Bounds().Max.Y; y++ {
		for x := shot.Bounds().Min.X; x < shot.Bounds().Max.X; x++ {
			counts[color.RGBAModel.Convert(shot.At(x, y)).(color.RGBA)]++
		}
	}
	var colors []color.RGBA
	for c := range counts {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	for _, c := range colors[:min(colorsMax, len(colors))] {
		most = append(most, c)
	}
	return most
}

func encode(t *testing.T, shot image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, shot); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func write(t *testing.T, file string, shot image.Image) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, encode(t, shot), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) image.Image {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: go test ./deploy/console/chromium -run Screenshots -update", err)
	}
	kept, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return kept
}
