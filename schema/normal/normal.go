package normal

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wagewire/wagewire/schema"
)

// The errors of Of.
var (
	// ErrNoModel means that there is no model for the provider's resource. The package comment says
	// why.
	ErrNoModel = errors.New("no normalised model")
	// ErrNoObject means that the record is not one JSON object, or is nested deeper than
	// encoding/json reads: 10,000 levels.
	ErrNoObject = errors.New("the record is no JSON object")
)

// mapping reads a record of a resource into the member of the model.
type mapping func(object, *Record)

// mappings has the mappings of a provider by resource.
var mappings = map[schema.Provider]map[schema.Resource]mapping{
	schema.Pinwheel: pinwheel,
	schema.Truv:     truv,
}

// Of returns a record that a completion of the provider's resource carries, in the normalised
// model. The record is not changed, and Raw is the record itself. Of never fails because of a
// value: a value that the model cannot take is absent, and is listed in Unread. The error is
// ErrNoObject or ErrNoModel.
func Of(p schema.Provider, r schema.Resource, record json.RawMessage) (Record, error) {
	read, ok := mappings[p][r]
	if !ok {
		return Record{}, fmt.Errorf("%w of %s %s", ErrNoModel, p, r)
	}
	o, err := openRecord(record)
	if err != nil {
		return Record{}, err
	}
	normal := Record{Raw: record}
	read(o, &normal)
	normal.Unread = slices.Sorted(maps.Keys(o.unread))
	return normal, nil
}

// OfCompletion is Of for a record of a completion with the data. Truv's statements do not name
// their employment, so their EmploymentID is that of the completion.
func OfCompletion(data schema.CompletionData, record json.RawMessage) (Record, error) {
	read, err := Of(data.Provider, data.Resource, record)
	if err == nil && read.Paystub != nil && read.Paystub.EmploymentID == "" {
		read.Paystub.EmploymentID = data.EmploymentID
	}
	return read, err
}

// Has reports whether there is a model for the provider's resource.
func Has(p schema.Provider, r schema.Resource) bool { return mappings[p][r] != nil }

// give returns the pointer, or nil if the value is empty.
func give[T comparable](value T) *T {
	var empty T
	if value == empty {
		return nil
	}
	return &value
}

func (r *Record) setEmployment(e Employment) {
	r.Kind = KindEmployment
	r.Employment = &e
}

func (r *Record) setIdentity(i Identity) {
	r.Kind = KindIdentity
	r.Identity = &i
}

func (r *Record) setIncome(i Income) {
	r.Kind = KindIncome
	r.Income = &i
}

func (r *Record) setPaystub(p Paystub) {
	r.Kind = KindPaystub
	r.Paystub = &p
}

func (r *Record) setReport(report Report) {
	r.Kind = KindReport
	r.Report = &report
}

func (r *Record) setShift(s Shift) {
	r.Kind = KindShift
	r.Shift = &s
}
