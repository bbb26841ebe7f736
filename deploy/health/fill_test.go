package health

import (
	"testing"
	"time"
)

const (
	day      = 24 * time.Hour
	gibibyte = 1 << 30
)

func TestAStreamIsFullWhenTheRateAndTheAgeSaySo(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	earlier := func(d time.Duration, bytes uint64, oldest time.Time) *FillSample {
		return &FillSample{At: ago(d), Bytes: bytes, Oldest: oldest}
	}
	const never = -1
	for promise, test := range map[string]struct {
		fill Fill
		want time.Duration
	}{
		"a tenth in a day leaves nine days": {
			Fill{
				Bytes: gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(day), MaxAge: 14 * day,
			}, 9 * day,
		},
		"age keeps a stream below its limit": {
			Fill{
				Bytes: gibibyte, BytesMax: 15 * gibibyte, Oldest: ago(day), MaxAge: 14 * day,
			}, never,
		},
		"a steady stream below its limit never fills": {
			Fill{
				Bytes: 9 * gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(14 * day),
				MaxAge: 14 * day,
			}, never,
		},
		"without an age every stream with a limit fills": {
			Fill{Bytes: gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(2 * day)}, 18 * day,
		},
		"an earlier look says that the rate has doubled, while nothing leaves": {
			Fill{
				Bytes: 4 * gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(4 * day),
				MaxAge:  14 * day,
				Earlier: earlier(day, 2*gibibyte, ago(4*day)),
			}, 3 * day,
		},
		// 2 GiB are stored a day, 0.5 GiB leave: 1.5 GiB are gained, and 3 GiB are free.
		"an earlier look says that the rate has grown, while old messages leave": {
			Fill{
				Bytes: 7 * gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(14 * day),
				MaxAge:  14 * day,
				Earlier: earlier(day, 11*gibibyte/2, ago(15*day)),
			}, 2 * day,
		},
		// Two days at 2 GiB, then a day's gain of 2 GiB less 1 GiB.
		"old messages begin to leave before the stream is full": {
			Fill{
				Bytes: 4 * gibibyte, BytesMax: 9 * gibibyte, Oldest: ago(4 * day),
				MaxAge:  6 * day,
				Earlier: earlier(day, 2*gibibyte, ago(4*day)),
			}, 3 * day,
		},
		"the steady state of the new rate is below the limit": {
			Fill{
				Bytes: 4 * gibibyte, BytesMax: 13 * gibibyte, Oldest: ago(4 * day),
				MaxAge:  6 * day,
				Earlier: earlier(day, 2*gibibyte, ago(4*day)),
			}, never,
		},
		"a rate that fell below what leaves never fills": {
			Fill{
				Bytes: 9 * gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(14 * day),
				MaxAge:  14 * day,
				Earlier: earlier(day, 9*gibibyte+gibibyte/2, ago(15*day)),
			}, never,
		},
		"a stream that nothing comes to never fills": {
			Fill{
				Bytes: 9 * gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(4 * day),
				Earlier: earlier(day, 9*gibibyte, ago(4*day)),
			}, never,
		},
		"a stream that an operator purged since the earlier look has only its new rate": {
			Fill{
				Bytes: gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(day), MaxAge: 14 * day,
				Earlier: earlier(day, 9*gibibyte, ago(9*day)),
			}, 9 * day,
		},
		"a look of a minute ago is too near, so the whole history counts": {
			Fill{
				Bytes: gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(day),
				Earlier: earlier(time.Minute, 0, time.Time{}),
			}, 9 * day,
		},
		"an earlier look at an empty stream gives the rate since then": {
			Fill{
				Bytes: gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(time.Hour),
				Earlier: earlier(day, 0, time.Time{}),
			}, 9 * day,
		},
		"a tombstone that outlives the others does not hide that they leave": {
			Fill{
				Bytes: 9 * gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(900 * day),
				MaxAge:  10 * day,
				Earlier: earlier(day, 8*gibibyte, ago(900*day)),
			}, day,
		},
		"a burst of the last minutes is no rate": {
			Fill{Bytes: gibibyte, BytesMax: 10 * gibibyte, Oldest: ago(10 * time.Minute)}, never,
		},
		"a full stream is full now": {
			Fill{Bytes: gibibyte, BytesMax: gibibyte, Oldest: ago(time.Minute)}, 0,
		},
		"a stream over a lowered limit is full now": {
			Fill{Bytes: 2 * gibibyte, BytesMax: gibibyte, Oldest: ago(day)}, 0,
		},
		"an empty stream never fills":          {Fill{BytesMax: gibibyte}, never},
		"a stream without a limit never fills": {Fill{Bytes: 1, Oldest: ago(day)}, never},
		"a limit of -1 is none, as the broker says": {
			Fill{Bytes: 1, BytesMax: -1, Oldest: ago(day)}, never,
		},
		"a message from the future is no history": {
			Fill{Bytes: 1, BytesMax: gibibyte, Oldest: now.Add(time.Minute)}, never,
		},
		"what takes centuries never happens": {
			Fill{Bytes: 1, BytesMax: 1 << 60, Oldest: ago(day)}, never,
		},
	} {
		t.Run(promise, func(t *testing.T) {
			test.fill.Now = now
			left, fills := FullIn(test.fill)
			if !fills {
				left = never
			}
			if difference := left - test.want; difference.Abs() > time.Second {
				t.Errorf("full in %s, want %s (%s is never)", left, test.want,
					time.Duration(never))
			}
		})
	}
}
