package normal_test

import (
	"encoding/json"
	"fmt"

	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/normal"
)

func ExampleOf() {
	for _, record := range []struct {
		provider schema.Provider
		text     string
	}{
		{schema.Pinwheel, `{"id":"p-1","pay_date":"2026-01-30","net_pay_amount":131820,"currency":"USD"}`},
		{schema.Truv, `{"id":"t-1","pay_date":"2026-01-30","net_pay":"1318.20","gross_pay":"many"}`},
	} {
		read, err := normal.Of(record.provider, schema.Paystubs, json.RawMessage(record.text))
		if err != nil {
			fmt.Println(err)
			return
		}
		if net := read.Paystub.NetPay; net != nil {
			fmt.Println(read.Paystub.PayDate, net.Minor, net.Currency, read.Unread)
		}
	}
	// Output:
	// 2026-01-30 131820 USD []
	// 2026-01-30 131820 USD [$.gross_pay]
}
