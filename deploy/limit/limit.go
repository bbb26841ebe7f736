// Package limit names the variables with the limits of streams: how much a stream holds, how many
// messages, how long it keeps a message, and how many copies it has. `wagewire provision` reads the
// variables, and docker-compose.yml passes them on. The package also knows what the messages take
// of the memory of NATS.
package limit

// Config is the wish of an installation for its streams. The flags of `wagewire provision` win over
// the variables. A stream without a wish gets its default.
type Config struct {
	// MaxBytes, MaxMessages and MaxAge are lists: WAGEWIRE_EVENTS=4GiB,WAGEWIRE_COMPLETIONS=8GiB.
	MaxBytes    string `env:"STREAM_MAX_BYTES" help:"most bytes of streams, which NATS reserves: WAGEWIRE_EVENTS=4GiB,WAGEWIRE_COMPLETIONS=8GiB; a stream that has more keeps it (each stream's default)"`
	MaxMessages string `env:"STREAM_MAX_MESSAGES" help:"most messages of streams, for which NATS needs memory: WAGEWIRE_COMPLETIONS=5000000; a stream that has more keeps it (each stream's default, and more with more bytes)"`
	MaxAge      string `env:"STREAM_MAX_AGE" help:"how long streams keep a message: WAGEWIRE_DEAD_LETTERS=180d,WAGEWIRE_QUARANTINE=30d; 0 is for ever; a stream that has more keeps it (each stream's default)"`
	Replicas    int    `env:"STREAM_REPLICAS" envDefault:"1" help:"copies of every stream in a cluster; a stream that has more keeps them"`
}
