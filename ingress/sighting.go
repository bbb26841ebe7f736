package ingress

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/wagewire/wagewire/schema"
)

// sighting is what this process has seen of a provider lately, for its reports to operators.
type sighting struct {
	signatures, stored, dates schema.Tally
	// skewBits is the age of the last date too far from our clock, in seconds, as float64 bits.
	skewBits atomic.Uint64
}

func newSightings() map[schema.Provider]*sighting {
	sightings := map[schema.Provider]*sighting{}
	for _, p := range schema.Providers() {
		sightings[p] = &sighting{}
	}
	return sightings
}

// noteDate notes a signed webhook of the age, and whether the age is acceptable.
func (s *sighting) noteDate(age time.Duration, ok bool) {
	if !ok {
		s.skewBits.Store(math.Float64bits(age.Seconds()))
	}
	s.dates.Note(ok)
}

func (s *sighting) report() schema.ProviderReport {
	return schema.ProviderReport{
		Signatures: s.signatures.Read(),
		Stored:     s.stored.Read(),
		Dates:      s.dates.Read(),
		SkewS:      math.Float64frombits(s.skewBits.Load()),
	}
}

// Sightings returns what the server has seen of each provider that it serves.
func (s *Server) Sightings() map[schema.Provider]schema.ProviderReport {
	reports := map[schema.Provider]schema.ProviderReport{}
	for p := range s.secrets {
		reports[p] = s.sightings[p].report()
	}
	return reports
}
