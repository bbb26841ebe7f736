package fake_test

import (
	"testing"

	"github.com/wagewire/wagewire/deploy/fake"
)

// sycamore is the body of the vector that Pinwheel publishes.
const sycamore = `{
    "coordinates": [41.0555388, -73.8679639],
    "location": "Lyndhurst Mansion, South Broadway, Tarrytown, NY",
    "type": {
        "common_name": "American sycamore",
        "genus": "platanus",
        "species": "occidentalis"
    }
}`

func TestSignatures(t *testing.T) {
	if len(sycamore) != 244 {
		t.Fatalf("the vector's body has %d bytes, want 244", len(sycamore))
	}
	for _, test := range []struct{ name, got, want string }{
		{
			"Pinwheel's is that of its published vector",
			fake.SignPinwheel("TEST_KEY", 860860860, []byte(sycamore)),
			"v2=42fb9eba200e821d4de63667f5a30f7e1b83609b135e148e26ce01eef2aa6ba8",
		},
		{
			"Truv's is a plain HMAC-SHA256, as in RFC 4231 case 2",
			fake.SignTruv("Jefe", []byte("what do ya want for nothing?")),
			"v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %s, want %s", test.got, test.want)
			}
		})
	}
}
