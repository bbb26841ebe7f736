package streamtest_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wagewire/wagewire/schema/stream/streamtest"
)

// A change of the stream makes the server look for old messages at once.
func TestMessagesAgeByTheVirtualTime(t *testing.T) {
	streamtest.InBubble(t, true, func(t *testing.T, s *streamtest.BubbleServer) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		nc, err := nats.Connect(nats.DefaultURL, nats.SetCustomDialer(s))
		must(err)
		defer nc.Close()
		js, err := jetstream.New(nc)
		must(err)
		ctx := t.Context()
		config := jetstream.StreamConfig{
			Name: "S", Subjects: []string{"s"}, MaxAge: 48 * time.Hour,
		}
		_, err = js.CreateStream(ctx, config)
		must(err)
		_, err = js.Publish(ctx, "s", nil)
		must(err)
		for _, row := range []struct {
			promise string
			age     time.Duration
			want    uint64
		}{
			{"a young message stays", time.Hour, 1},
			{"an old message goes", config.MaxAge, 0},
		} {
			time.Sleep(row.age) //nolint:forbidigo // virtual time
			config.MaxBytes += 1 << 20
			changed, err := js.UpdateStream(ctx, config)
			must(err)
			info, err := changed.Info(ctx)
			must(err)
			if info.State.Msgs != row.want {
				t.Errorf("%s: %d messages, want %d", row.promise, info.State.Msgs, row.want)
			}
		}
	})
}
