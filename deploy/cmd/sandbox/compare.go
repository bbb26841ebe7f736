package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/client"
	"github.com/wagewire/wagewire/schema/normal"
	"github.com/wagewire/wagewire/schema/stream"
)

// compare returns a table of what the completions of each provider say of one person, with the
// names of the providers in the first row, and a note on the employments. It keeps and
// reads the records as a subscriber with the kit for Go does.
func compare(
	ctx context.Context, operator *stream.Operator, completions []schema.Completion,
) (rows [][]string, note string, err error) {
	var mirror client.Mirror
	accounts := map[schema.Provider]string{}
	for _, c := range completions {
		if c.Data.AccountID == nil || !normal.Has(c.Data.Provider, c.Data.Resource) {
			continue
		}
		accounts[c.Data.Provider] = *c.Data.AccountID
		var records []json.RawMessage
		err := operator.ReadRecords(ctx, c, func(record json.RawMessage) error {
			records = append(records, record)
			return nil
		})
		if err == nil {
			err = mirror.Apply(c, records)
		}
		if err != nil {
			return nil, "", err
		}
	}
	rows = [][]string{
		{""}, {"employments"}, {"the newest"}, {"pay"}, {"paystubs"}, {"the newest"}, {"shifts"},
	}
	employments := map[schema.Provider]int{}
	for _, provider := range schema.Providers() {
		read, err := readPerson(&mirror, provider, accounts[provider])
		if err != nil {
			return nil, "", err
		}
		employments[provider] = read.employments
		for i, cell := range read.column(provider) {
			rows[i] = append(rows[i], cell)
		}
	}
	return rows, noteOn(employments), nil
}

// noteOn says why one provider has more employments, and with them more paystubs, than another. It
// is empty if all have as many.
func noteOn(employments map[schema.Provider]int) string {
	var most, least schema.Provider
	for _, p := range schema.Providers() {
		if most == "" || employments[p] > employments[most] {
			most = p
		}
		if least == "" || employments[p] < employments[least] {
			least = p
		}
	}
	if employments[most] == employments[least] {
		return ""
	}
	return fmt.Sprintf("%s also gives the earlier employment and its paystubs. "+
		"An account at %s is that of one employer.", most.Title(), least.Title())
}

// person is what one provider says of a person.
type person struct {
	employments, paystubs, shifts int
	// job, income and paystub are the newest, nil without one.
	job     *normal.Employment
	income  *normal.Income
	paystub *normal.Paystub
}

func readPerson(mirror *client.Mirror, p schema.Provider, account string) (person, error) {
	var read person
	for _, resource := range []schema.Resource{
		schema.Employment, schema.Income, schema.Paystubs, schema.Shifts,
	} {
		for _, record := range mirror.Records(p, account, resource) {
			r, err := normal.Of(p, resource, record)
			if err != nil {
				return person{}, err
			}
			read.add(r)
		}
	}
	return read, nil
}

func (p *person) add(r normal.Record) {
	switch r.Kind {
	case normal.KindEmployment:
		p.employments++
		if p.job == nil || p.job.StartDate < r.Employment.StartDate {
			p.job = r.Employment
		}
	case normal.KindIncome:
		// A provider with several employments gives the income the id of its employment.
		if p.income == nil || p.job != nil && p.job.ID == r.Income.ID {
			p.income = r.Income
		}
	case normal.KindPaystub:
		p.paystubs++
		if p.paystub == nil || p.paystub.PayDate < r.Paystub.PayDate {
			p.paystub = r.Paystub
		}
	case normal.KindShift:
		p.shifts++
	}
}

// column is the provider's column of the table. An absent fact is an empty cell.
func (p *person) column(provider schema.Provider) []string {
	var job, pay, paystub string
	if p.job != nil && p.job.Employer != nil {
		job = fmt.Sprintf("%s, since %s", p.job.Employer.Name, p.job.StartDate)
	}
	if p.income != nil && p.income.Compensation != nil && p.income.Unit != nil {
		rate := p.income.Compensation
		pay = fmt.Sprintf("%s %s %s",
			inUnits(string(rate.Minor)), rate.Currency, p.income.Unit.Kind)
	}
	if p.paystub != nil && p.paystub.GrossPay != nil {
		gross := p.paystub.GrossPay
		paystub = fmt.Sprintf("%s, gross %s %s",
			p.paystub.PayDate, inUnits(fmt.Sprint(gross.Minor)), gross.Currency)
	}
	return []string{
		provider.Title(), fmt.Sprint(p.employments), job, pay, fmt.Sprint(p.paystubs), paystub,
		fmt.Sprint(p.shifts),
	}
}

// inUnits writes minor units of a currency with two decimals: 2540 is 25.40.
func inUnits(minor string) string {
	whole, part, _ := strings.Cut(minor, ".")
	whole = strings.Repeat("0", max(0, 3-len(whole))) + whole
	point := len(whole) - 2
	return whole[:point] + "." + whole[point:] + part
}
