package normal

import (
	"encoding/json"
	"slices"
	"strconv"
)

// object is a JSON object of a record. Its methods read a member: null, an absent member and an
// empty text are the same. A member that is something else than the method reads goes to unread,
// and counts as absent.
type object struct {
	path    string
	raw     json.RawMessage
	members map[string]json.RawMessage
	unread  map[string]bool
}

// reject notes that the member could not be read.
func (o object) reject(name string) { o.unread[o.path+"."+name] = true }

// member returns the value of a member, or nil if there is none.
func (o object) member(name string) json.RawMessage {
	value := o.members[name]
	if string(value) == "null" {
		return nil
	}
	return value
}

// text reads a string.
func (o object) text(name string) string {
	value := o.member(name)
	if value == nil {
		return ""
	}
	text, ok := unquote(value)
	if !ok {
		o.reject(name)
	}
	return text
}

func unquote(value json.RawMessage) (string, bool) {
	if value[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(value, &text)
	return text, err == nil
}

// read reads a string by a function that returns false for a text of another form.
func read[T ~string](o object, name string, parse func(string) (T, bool)) T {
	text := o.text(name)
	if text == "" {
		return ""
	}
	value, ok := parse(text)
	if !ok {
		o.reject(name)
		return ""
	}
	return value
}

func (o object) date(name string) Date { return read(o, name, parseDate) }
func (o object) time(name string) Time { return read(o, name, parseTime) }

func (o object) currency(name string) string {
	return read(o, name, func(text string) (string, bool) {
		return text, currencyForm.MatchString(text)
	})
}

// word reads a string that is a word of the table.
func (o object) word(name string, table wordTable) *Word {
	text := o.text(name)
	if text == "" {
		return nil
	}
	return table.word(text)
}

// numeral is how a number is written.
type numeral int

const (
	asNumber numeral = 1 << iota
	asText
)

// number reads a number that is written in one of the forms.
func (o object) number(name string, forms numeral) (number, bool) {
	value := o.member(name)
	if value == nil {
		return number{}, false
	}
	text := string(value)
	form := asNumber
	if value[0] == '"' {
		text, _ = unquote(value)
		form = asText
	}
	if form == asText && text == "" {
		return number{}, false
	}
	n, ok := parseNumber(text)
	if !ok || forms&form == 0 {
		o.reject(name)
		return number{}, false
	}
	return n, true
}

// decimal reads a decimal number, written as a number or as text.
func (o object) decimal(name string) Decimal {
	n, ok := o.number(name, asNumber|asText)
	if !ok {
		return ""
	}
	read, ok := n.decimal()
	if !ok {
		o.reject(name)
	}
	return read
}

// integer reads a whole number.
func (o object) integer(name string, forms numeral) *int64 {
	n, ok := o.number(name, forms)
	if !ok {
		return nil
	}
	whole, ok := n.integer()
	if !ok {
		o.reject(name)
		return nil
	}
	return &whole
}

// unit says how a provider writes amounts: in which form, in which currency, and with how many
// digits of the minor unit behind the point. A wrong form is not read, because it may tell of
// another unit, and the amount would be wrong a hundredfold.
type unit struct {
	form     numeral
	currency string
	places   int
}

// money reads an amount in whole minor units.
func (o object) money(name string, u unit) *Money {
	n, ok := o.number(name, u.form)
	if !ok {
		return nil
	}
	minor, ok := n.shift(u.places).integer()
	if !ok {
		o.reject(name)
		return nil
	}
	return &Money{minor, u.currency}
}

// rate reads an amount that may have parts of a minor unit.
func (o object) rate(name string, u unit) *Rate {
	n, ok := o.number(name, u.form)
	if !ok {
		return nil
	}
	minor, ok := n.shift(u.places).decimal()
	if !ok {
		o.reject(name)
		return nil
	}
	return &Rate{minor, u.currency}
}

// object reads an object. It returns false if there is none.
func (o object) object(name string) (object, bool) {
	value := o.member(name)
	if value == nil {
		return object{}, false
	}
	inner, ok := o.open(o.path+"."+name, value)
	if !ok {
		o.reject(name)
	}
	return inner, ok
}

func (o object) open(path string, value json.RawMessage) (object, bool) {
	inner := object{path: path, raw: value, unread: o.unread}
	if value[0] != '{' {
		return inner, false
	}
	err := json.Unmarshal(value, &inner.members)
	return inner, err == nil
}

// list reads an array. Each element is read by the function; it returns false for an element that
// is something else. A null is left out. list returns nil if there is no array.
func list[T any](o object, name string, element func(json.RawMessage, string) (T, bool)) []T {
	value := o.member(name)
	if value == nil {
		return nil
	}
	var values []json.RawMessage
	if value[0] != '[' || json.Unmarshal(value, &values) != nil {
		o.reject(name)
		return nil
	}
	read := []T{}
	for i, value := range values {
		if string(value) == "null" {
			continue
		}
		at := name + "[" + strconv.Itoa(i) + "]"
		one, ok := element(value, o.path+"."+at)
		if !ok {
			o.reject(at)
			continue
		}
		read = append(read, one)
	}
	return read
}

// objects reads an array of objects.
func objects[T any](o object, name string, element func(object) T) []T {
	return list(o, name, func(value json.RawMessage, path string) (T, bool) {
		inner, ok := o.open(path, value)
		if !ok {
			var none T
			return none, false
		}
		return element(inner), true
	})
}

// texts reads an array of strings. Empty ones are left out.
func (o object) texts(name string) []string {
	read := list(o, name, func(value json.RawMessage, _ string) (string, bool) {
		return unquote(value)
	})
	return slices.DeleteFunc(read, func(text string) bool { return text == "" })
}

// openRecord opens a whole record.
func openRecord(record json.RawMessage) (object, error) {
	o := object{path: "$", raw: record, unread: map[string]bool{}}
	// The error of encoding/json may show a piece of the record. A null leaves members as they are.
	if json.Unmarshal(record, &o.members) != nil || o.members == nil {
		return object{}, ErrNoObject
	}
	return o, nil
}

// flag reads true or false as a word of the table.
func (o object) flag(name string, table wordTable) *Word {
	value := o.member(name)
	if value == nil {
		return nil
	}
	text := string(value)
	if text != "true" && text != "false" {
		o.reject(name)
		return nil
	}
	return table.word(text)
}

// plainWord reads a string in the employer's words, which is a word of the table in its plain form.
func (o object) plainWord(name string, table wordTable) *Word {
	text := o.text(name)
	if text == "" {
		return nil
	}
	return &Word{table.word(plain(text)).Kind, text}
}

// lastFour reads the last four digits of a string that ends with four digits.
func (o object) lastFour(name string) string {
	return read(o, name, func(text string) (string, bool) {
		four := text[max(len(text)-4, 0):]
		return four, fourDigits.MatchString(four)
	})
}
