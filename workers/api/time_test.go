package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wagewire/wagewire/workers/api"
)

func TestParseTime(t *testing.T) {
	want := time.Date(2021, 1, 29, 22, 6, 6, 920124000, time.UTC)
	for _, text := range []string{
		"2021-01-29T22:06:06.920124+00:00", "2021-01-29T22:06:06.920124Z",
		"2021-01-29 22:06:06.920124+00:00", "2021-01-29T18:06:06.920124-04:00",
	} {
		if got, err := api.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	if got, err := api.ParseTime("2021-01-21T20:16:28+00:00"); err != nil || got.Nanosecond() != 0 {
		t.Errorf("without a fraction: %v, %v", got, err)
	}
	for _, text := range []string{
		"", "CANARY", "2021-01-29", "2022-06-31T00:00:00Z", "1750802674",
	} {
		if _, err := api.ParseTime(text); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
