package forward

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowReader is a body whose first part comes after a while.
type slowReader struct {
	io.Reader

	after time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	<-time.After(r.after)
	return r.Reader.Read(p)
}

func TestTheTimeInWhichRecordsAreReadIsNotTheProgramsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		fired := make(chan time.Time, 1)
		began := time.Now()
		late := time.AfterFunc(limit, func() { fired <- time.Now() })
		body := &patientReader{
			reader: &slowReader{strings.NewReader("part"), time.Minute}, late: late, limit: limit,
		}
		if _, err := body.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		if after := (<-fired).Sub(began); after != time.Minute+limit {
			t.Errorf("the program was late after %s", after)
		}
	})
}
