package stream

import (
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/wagewire/wagewire/schema"
)

// seedOption logs in with the seed of a user's nkey alone in a file. The file is text as
// schema.ParseSecrets reads it, with one key. The seed is read again at each connect.
func seedOption(path string) (nats.Option, error) {
	pair, err := readSeed(path)
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	return nats.Nkey(public, func(nonce []byte) ([]byte, error) {
		pair, err := readSeed(path)
		if err != nil {
			return nil, err
		}
		defer pair.Wipe()
		return pair.Sign(nonce)
	}), nil
}

// readSeed reads the key pair of a user from a file. Errors do not quote the file.
func readSeed(path string) (nkeys.KeyPair, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seeds, err := schema.ParseSecrets(text)
	if err != nil {
		return nil, err
	}
	if len(seeds) > 1 {
		return nil, fmt.Errorf("it holds %d keys: a process has one", len(seeds))
	}
	seed := seeds[0].Reveal()
	if !strings.HasPrefix(seed, "SU") {
		return nil, nkeys.ErrInvalidUserSeed
	}
	return nkeys.FromSeed([]byte(seed))
}
