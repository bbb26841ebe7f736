package console_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wagewire/wagewire/deploy/console"
)

// demoTokens is the demonstration's file of tokens.
const demoTokens = "../compose/demo/console.tokens"

func TestTheDemonstrationsTokenStandsBesideFakesOnly(t *testing.T) {
	line, err := console.NewPerson("anna", []string{"read", "act"})
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "console.tokens")
	if err := os.WriteFile(own, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const fakes = "http://providers:8081"
	for promise, row := range map[string]struct {
		file     string
		pinwheel string
		truv     string
		want     string // in the error; empty: no error
	}{
		"beside fakes":                          {demoTokens, fakes, fakes, ""},
		"not beside a real provider":            {demoTokens, "https://api.getpinwheel.com", fakes, "PINWHEEL_URL is real"},
		"nor beside another real one":           {demoTokens, fakes, "https://prod.truv.com", "TRUV_URL is real"},
		"nor without a word about them":         {demoTokens, "", "", "PINWHEEL_URL, which is not set, is real"},
		"but an own token beside all":           {own, "https://api.getpinwheel.com", "", ""},
		"and no file beside all":                {"", "", "", ""},
		"nor beside a word that is no URL":      {demoTokens, "foo", fakes, "PINWHEEL_URL is no URL"},
		"a URL that cannot be a URL is refused": {own, " ", "", "PINWHEEL_URL: the value begins"},
	} {
		t.Run(promise, func(t *testing.T) {
			c, err := console.ConfigFromEnv(func(name string) string {
				return map[string]string{
					"CONSOLE_TOKENS_FILE": row.file, "PINWHEEL_URL": row.pinwheel, "TRUV_URL": row.truv,
				}[name]
			})
			if row.want == "" {
				if err != nil || c.TokensFile != row.file {
					t.Errorf("the file is %q, error %v", c.TokensFile, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want one with %q", err, row.want)
			}
		})
	}
}

func TestANewPersonHasATokenOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		line, err := console.NewPerson("anna@example.com", []string{"read", "reveal"})
		if err != nil {
			t.Fatal(err)
		}
		token, isPerson := strings.CutPrefix(line, "anna@example.com read,reveal ")
		if !isPerson || len(token) != 64 || seen[token] {
			t.Errorf("the line has another beginning, or its token is short or old")
		}
		seen[token] = true
	}
}

func TestANewPersonIsRefusedByName(t *testing.T) {
	for promise, row := range map[string]struct {
		name  string
		roles []string
		want  string
	}{
		"without a name":          {"", []string{"read"}, `"" is no name`},
		"with a blank in it":      {"anna b", []string{"read"}, "is no name"},
		"that would be a comment": {"#anna", []string{"read"}, "is no name"},
		"with HTML":               {"<b>", []string{"read"}, "is no name"},
		"with a control":          {"a\x1b[2J", []string{"read"}, `"a\x1b[2J" is no name`},
		"without a role":          {"anna", nil, "a person needs a role: read, act, reveal"},
		"with a role of no name":  {"anna", []string{""}, `"" is no role: write some of read, act, reveal`},
		"with another role":       {"anna", []string{"read", "admin"}, `"admin" is no role`},
		"with a role and a blank": {"anna", []string{"read", " act"}, `" act" is no role`},
	} {
		t.Run(promise, func(t *testing.T) {
			line, err := console.NewPerson(row.name, row.roles)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%q and error %v, want one with %q", line, err, row.want)
			}
		})
	}
}
