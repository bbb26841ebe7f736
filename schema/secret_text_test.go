package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wagewire/wagewire/schema"
)

const (
	secretA = "the-first-secret-of-many"
	secretB = "the-second-secret-of-many"
)

func TestTheSecretsOfAText(t *testing.T) {
	shortest := strings.Repeat("x", schema.SecretBytesMin)
	for promise, test := range map[string]struct {
		text string
		want []string
	}{
		"are its lines":                     {secretA + "\n" + secretB + "\n", []string{secretA, secretB}},
		"need no line end":                  {secretA, []string{secretA}},
		"may stand between empty lines":     {"\n\n" + secretA + "\n\n", []string{secretA}},
		"lose the blanks around them":       {" \t" + secretA + "\t \n", []string{secretA}},
		"lose a byte order mark":            {"\ufeff" + secretA + "\n", []string{secretA}},
		"may have line ends of Windows":     {secretA + "\r\n" + secretB + "\r\n", []string{secretA, secretB}},
		"may have line ends of an old Mac":  {secretA + "\r" + secretB, []string{secretA, secretB}},
		"may stand below a comment":         {"# 2026\n" + secretA + "\n  # old\n" + secretB, []string{secretA, secretB}},
		"may have a comment behind a mark":  {"\ufeff# new\r\n" + secretA, []string{secretA}},
		"keep a # within":                   {"abc#defghijklmnop", []string{"abc#defghijklmnop"}},
		"keep the = of base64 at their end": {"MDEyMzQ1Njc4OWFiYw==", []string{"MDEyMzQ1Njc4OWFiYw=="}},
		"keep a quote within":               {`half"quoted"secrets`, []string{`half"quoted"secrets`}},
		"may be as short as the shortest":   {shortest, []string{shortest}},
		"stay in the order of the lines":    {secretB + "\n" + secretA, []string{secretB, secretA}},
	} {
		t.Run(promise, func(t *testing.T) {
			secrets, err := schema.ParseSecrets([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range secrets {
				got = append(got, s.Reveal())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("secrets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATextIsRefusedByTheNameOfItsMistake(t *testing.T) {
	utf16 := "\xff\xfe"
	for _, b := range []byte(secretA) {
		utf16 += string(rune(b)) + "\x00"
	}
	for promise, test := range map[string]struct{ text, says string }{
		"nothing":                     {"", "holds no secret"},
		"empty lines":                 {" \n\t\r\n\r", "holds no secret"},
		"comments alone":              {"# soon\n#" + secretA, "holds no secret"},
		"a short secret":              {secretA + "\nshort", "line 2: the secret is shorter than 16 bytes"},
		"a padded secret":             {"short" + strings.Repeat(" ", 20), "shorter than 16 bytes"},
		"double quotes":               {`"` + secretA + `"`, "line 1: there are quotes around"},
		"single quotes":               {"#\n'" + secretA + "'", "line 2: there are quotes around"},
		"one quote":                   {secretA + `"`, "quotes around"},
		"a blank within":              {"two words of a secret", "line 1: there is a blank within"},
		"a tab within":                {secretA + "\t" + secretB, "a blank within"},
		"a comment behind a secret":   {secretA + " # new", "a comment on a line of its own"},
		"a variable":                  {"PINWHEEL_API_SECRET=" + secretA, "line 1: it is an assignment"},
		"a variable in lower case":    {"secret=" + secretA, "an assignment"},
		"a variable with blanks":      {"SECRET = " + secretA, "an assignment"},
		"a variable with quotes":      {`SECRET="` + secretA + `"`, "an assignment"},
		"an exported variable":        {"export SECRET=" + secretA, "an assignment"},
		"a line of YAML":              {"secret: " + secretA, "a blank within"},
		"a private key":               {"-----BEGIN " + "PRIVATE KEY-----\n" + secretA, "a PEM block begins"},
		"UTF-16, low byte first":      {utf16, "is in UTF-16"},
		"UTF-16, high byte first":     {"\xfe\xff\x00a", "is in UTF-16"},
		"UTF-16 without a mark":       {utf16[2:], "line 1: there is a NUL byte"},
		"a control character":         {secretA + "\x1b[0m", "a control character"},
		"a delete character":          {secretA + "\x7f", "a control character"},
		"a letter beyond ASCII":       {"sécret-of-many-bytes", "beyond ASCII"},
		"a blank that does not break": {secretA + "\u00a0", "beyond ASCII"},
		"a second byte order mark":    {secretA + "\n\ufeff" + secretB, "line 2: there is a character beyond ASCII"},
		"bytes that are no UTF-8":     {secretA + "\xe9", "beyond ASCII"},
		"a large file":                {strings.Repeat(secretA+"\n", 4096), "longer than 64 KiB"},
		"a short line of Windows":     {secretA + "\r\nshort\r\n", "line 2: "},
	} {
		t.Run(promise, func(t *testing.T) {
			_, err := schema.ParseSecrets([]byte(test.text))
			if err == nil {
				t.Fatal("it is taken")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error %q does not say %q", err, test.says)
			}
			for _, secret := range []string{secretA, secretB, "words"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error %q quotes the line", err)
				}
			}
		})
	}
}
