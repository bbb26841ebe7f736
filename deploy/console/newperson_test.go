package console

import (
	"net/http"
	"strings"
	"testing"
)

func TestANewPersonReadsWithTheToken(t *testing.T) {
	b := newBench(t)
	line, err := NewPerson("nora", []string{string(RoleRead)})
	if err != nil {
		t.Fatal(err)
	}
	b.writeTokens(line + "\n")
	b.wants(b.get("/", strings.Fields(line)[2]), http.StatusOK)
	b.wants(b.get("/", ritaToken), http.StatusSeeOther)
}
