package fetch

// The handlers of each row, for the tests of package fetch_test.
var (
	PinwheelHandlers = pinwheelRow.handlers
	TruvHandlers     = truvRow.handlers

	PinwheelWithoutCalls = pinwheelRow.withoutCalls
)
