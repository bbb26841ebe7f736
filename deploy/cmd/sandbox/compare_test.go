package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/normal"
)

func TestColumn(t *testing.T) {
	hourly := &normal.Word{Kind: "hourly"}
	rate := &normal.Rate{Minor: "3029.5", Currency: "USD"}
	for _, tt := range []struct {
		name string
		who  person
		want []string
	}{
		{
			"a person without data has empty cells", person{},
			[]string{"Truv", "0", "", "", "0", "", "0"},
		},
		{
			"amounts have two decimals or more",
			person{
				employments: 1, paystubs: 2, shifts: 3,
				job: &normal.Employment{
					Employer: &normal.Employer{Name: "X"}, StartDate: "2026-01-02",
				},
				income: &normal.Income{Compensation: rate, Unit: hourly},
				paystub: &normal.Paystub{
					PayDate: "2026-03-04", GrossPay: &normal.Money{Minor: 5, Currency: "USD"},
				},
			},
			[]string{
				"Truv", "1", "X, since 2026-01-02", "30.295 USD hourly", "2",
				"2026-03-04, gross 0.05 USD", "3",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.who.column(schema.Truv)); diff != "" {
				t.Errorf("column (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheNoteOnEmployments(t *testing.T) {
	const more = "Truv also gives the earlier employment and its paystubs. " +
		"An account at Pinwheel is that of one employer."
	for _, tt := range []struct {
		name        string
		employments map[schema.Provider]int
		want        string
	}{
		{"names the provider with more",
			map[schema.Provider]int{schema.Pinwheel: 1, schema.Truv: 2}, more},
		{"is not there if all have as many",
			map[schema.Provider]int{schema.Pinwheel: 1, schema.Truv: 1}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := noteOn(tt.employments); got != tt.want {
				t.Errorf("the note is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheNewestCounts(t *testing.T) {
	var who person
	for _, r := range []normal.Record{
		{Kind: normal.KindEmployment, Employment: &normal.Employment{ID: "b", StartDate: "2026-01-01"}},
		{Kind: normal.KindEmployment, Employment: &normal.Employment{ID: "a", StartDate: "2020-01-01"}},
		{Kind: normal.KindIncome, Income: &normal.Income{ID: "a"}},
		{Kind: normal.KindIncome, Income: &normal.Income{ID: "b"}},
		{Kind: normal.KindPaystub, Paystub: &normal.Paystub{ID: "new", PayDate: "2026-03-01"}},
		{Kind: normal.KindPaystub, Paystub: &normal.Paystub{ID: "old", PayDate: "2026-02-01"}},
	} {
		who.add(r)
	}
	got := []string{who.job.ID, who.income.ID, who.paystub.ID}
	if diff := cmp.Diff([]string{"b", "b", "new"}, got); diff != "" {
		t.Errorf("employment, income and paystub (-want +got):\n%s", diff)
	}
}
