package shelf

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/wagewire/wagewire/schema/stream"
)

// CauseOf are the fields that say why the worker gave up, each with its name: what the provider
// answered, and the words of the completion. The values are as others wrote them.
func CauseOf(l stream.Letter) [][2]string {
	answer := "-"
	switch {
	case l.Status > 0:
		answer = fmt.Sprint(l.Status)
	case l.Endpoint != "":
		answer = "no answer"
	}
	code := "-"
	message := "no completion of it is stored"
	if l.Error != nil {
		code = cmp.Or(strings.TrimSpace(l.Error.Code+" "+l.Error.Type), "-")
		message = l.Error.Message
	}
	return [][2]string{
		{"status", answer}, {"endpoint", cmp.Or(l.Endpoint, "-")}, {"code", code},
		{"message", message},
	}
}
