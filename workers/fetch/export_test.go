package fetch

// The handlers of each row, and the way to read Truv's webhooks, for the tests of package
// fetch_test.
var (
	PinwheelHandlers = pinwheelRow.handlers
	TruvHandlers     = truvRow.handlers

	PinwheelWithoutCalls = pinwheelRow.withoutCalls

	DecodeTruv = truvRow.decode
)
