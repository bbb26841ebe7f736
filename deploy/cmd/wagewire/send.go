package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wagewire/wagewire/deploy/fake"
	"github.com/wagewire/wagewire/schema"
	"github.com/wagewire/wagewire/schema/process"
)

const sendHelp = `wagewire send signs a webhook as its provider does and sends it to ingress.

Usage:
  wagewire send TYPE [flags]                    a sample of a catalogue type, with an id and a time of its own
  wagewire send FILE --provider NAME [flags]    a file's bytes as they are; - is standard input
  wagewire send --list                          the catalogue types, and which of them have a sample

It prints a line for each answer: status, id, whether it was a duplicate, time taken. It exits 0 when every answer is 200 and
ingress's own, which means stored.

Flags:
  --url URL             where ingress takes webhooks, without the provider (http://127.0.0.1:8080/webhooks)
  --secret-file FILE    file whose first line signs (PINWHEEL_SECRETS_FILE or TRUV_SECRETS_FILE)
  --times N             send the same webhook so often; all but the first are duplicates (1)
  --provider NAME       pinwheel or truv: whose webhook a FILE is
  --list                list the types, send nothing

Flags for a TYPE:
  --id ID               its event_id or webhook_id (a new one each time)
  --account ID          the account_id or link_id it is about (the sample's)
  --end-user ID         Pinwheel's end_user_id (the sample's)
  --outcome WORD        Pinwheel's outcome of the job: success, pending or error (success)

Examples:
  To the sandbox that make run starts:
    printf sandbox-pinwheel-secret > pinwheel.secret
    wagewire send employment.added --secret-file pinwheel.secret
  The same webhook three times, stored once:
    PINWHEEL_SECRETS_FILE=pinwheel.secret wagewire send paystubs.added --times 3
  A job that failed at the provider:
    PINWHEEL_SECRETS_FILE=pinwheel.secret wagewire send income.added --account 449e7a5c-69d3-4b8a-aaaf-5c9b713ebc65 --outcome error
  A recorded body, byte for byte:
    TRUV_SECRETS_FILE=truv.secret wagewire send recorded.json --provider truv --url https://wagewire.example.com/webhooks

Environment:
  PINWHEEL_SECRETS_FILE  file with Pinwheel's API secrets, one a line; the first signs
  TRUV_SECRETS_FILE      the same for Truv's access secrets

Exit codes: 0 all stored, 1 failed or not stored, 2 wrong usage
`

const (
	urlDefault = "http://127.0.0.1:8080/webhooks"
	// answerFor is how long Pinwheel waits for an answer; Truv does for 10 s.
	answerFor = 15 * time.Second
	// bodyBytesMax lets one see how ingress refuses what is too large for it.
	bodyBytesMax   = 1 << 20
	answerBytesMax = 64 << 10
	timesMax       = 10_000
	// stdinName stands for standard input where a file's name is asked for.
	stdinName = "-"
)

// sending is a webhook on its way: to where, how often, signed with what.
type sending struct {
	provider schema.Provider
	body     []byte
	url      string
	secret   schema.Secret
	times    int
}

func sendFlags(flags *flag.FlagSet) action {
	base := flags.String("url", urlDefault, "")
	secretFile := flags.String("secret-file", "", "")
	times := flags.Int("times", 1, "")
	name := flags.String("provider", "", "")
	list := flags.Bool("list", false, "")
	var o overrides
	flags.StringVar(&o.id, "id", "", "")
	flags.StringVar(&o.account, "account", "", "")
	flags.StringVar(&o.endUser, "end-user", "", "")
	flags.StringVar(&o.outcome, "outcome", "", "")
	return func(ctx context.Context, t terminal, args []string) error {
		if *list {
			return listTypes(t.stdout)
		}
		if len(args) != 1 {
			return wrongUsage("it takes one TYPE or FILE, not %d: see the types with wagewire send --list", len(args))
		}
		if *times < 1 || *times > timesMax {
			return wrongUsage("--times: %d is not from 1 to %d", *times, timesMax)
		}
		p, body, err := bodyOf(args[0], schema.Provider(*name), o, t.stdin)
		if err != nil {
			return err
		}
		target, err := targetOf(*base, p)
		if err != nil {
			return err
		}
		secret, err := secretOf(p, *secretFile, t.getenv)
		if err != nil {
			return err
		}
		return send(ctx, t, sending{p, body, target, secret, *times})
	}
}

// bodyOf returns the sample of a type, or a file's bytes.
func bodyOf(what string, named schema.Provider, o overrides, stdin io.Reader) (schema.Provider, []byte, error) {
	if named != "" && !slices.Contains(schema.Providers(), named) {
		return "", nil, wrongUsage("--provider: %q is none of %s", named, join(schema.Providers()))
	}
	catalogue := schema.Catalogue()
	if i := slices.IndexFunc(catalogue, func(w schema.WebhookType) bool { return w.Name == what }); i >= 0 {
		w := catalogue[i]
		if named != "" && named != w.Provider {
			return "", nil, wrongUsage("%s is a type of %s, not of %s", what, w.Provider, named)
		}
		body, err := sample(w, o, time.Now())
		return w.Provider, body, err
	}
	if _, err := os.Stat(what); what != stdinName && errors.Is(err, fs.ErrNotExist) {
		return "", nil, wrongUsage("%q is neither a catalogue type nor a file%s", what, suggestion(what, typeNames()))
	}
	if o != (overrides{}) {
		return "", nil, wrongUsage("a file is sent as it is: --id, --account, --end-user and --outcome are for a TYPE")
	}
	if named == "" {
		return "", nil, wrongUsage("say whose webhook it is: --provider %s", strings.Join(toStrings(schema.Providers()), " or --provider "))
	}
	body, err := readBody(what, stdin)
	return named, body, err
}

func readBody(path string, stdin io.Reader) ([]byte, error) {
	in := io.NopCloser(stdin)
	if path != stdinName {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		in = file
	}
	defer in.Close()
	body, err := io.ReadAll(io.LimitReader(in, bodyBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read webhook: %w", err)
	}
	if len(body) > bodyBytesMax {
		return nil, fmt.Errorf("read webhook: %s has more than %d bytes", path, bodyBytesMax)
	}
	return body, nil
}

func targetOf(base string, p schema.Provider) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", wrongUsage("--url: %q is no http or https address, such as %s", base, urlDefault)
	}
	return u.JoinPath(string(p)).String(), nil
}

func secretOf(p schema.Provider, path string, getenv func(string) string) (schema.Secret, error) {
	variable := strings.ToUpper(string(p)) + "_SECRETS_FILE"
	from := "--secret-file"
	if path == "" {
		from, path = variable, getenv(variable)
	}
	if path == "" {
		return schema.Secret{}, fmt.Errorf("no secret to sign with: give --secret-file, or set %s, to a file with one secret a line", variable)
	}
	file, err := process.OpenSecretFile(from, path)
	if err != nil {
		return schema.Secret{}, err
	}
	secrets, err := file.Active()
	if err != nil {
		return schema.Secret{}, err
	}
	return secrets[0], nil
}

func send(ctx context.Context, t terminal, s sending) error {
	client := &http.Client{
		Timeout:       answerFor,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	lost, advice := 0, ""
	for range s.times {
		a, err := post(ctx, client, s)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(t.stdout, a); err != nil {
			return err
		}
		if !a.stored() {
			lost++
			advice = adviceOnAnswer(a, s.provider)
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d of %d not stored%s", lost, s.times, advice)
	}
	return nil
}

// post signs the webhook, afresh each time, and sends it.
func post(ctx context.Context, client *http.Client, s sending) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(s.body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "wagewire")
	if err := fake.Sign(string(s.provider), request.Header, s.secret.Reveal(), time.Now(), s.body); err != nil {
		return answer{}, err
	}
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		// Not err itself: it says "Post" and the address once more.
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return answer{}, fmt.Errorf("no answer from %s: %w: is ingress there? see --url", s.url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer of %s: %w", s.url, err)
	}
	a := answer{status: response.StatusCode, retryAfter: response.Header.Get("Retry-After"), took: time.Since(began)}
	// Whoever else listens there answers what he likes; stored then says no.
	a.ours = json.Unmarshal(body, &a.said) == nil && (a.said.ID != nil || a.said.Error != "")
	return a, nil
}

// answer is what ingress said.
type answer struct {
	status int
	said   struct {
		ID          *string `json:"id"`
		Duplicate   bool    `json:"duplicate"`
		Quarantined bool    `json:"quarantined"`
		Error       string  `json:"error"`
	}
	ours       bool
	retryAfter string
	took       time.Duration
}

// stored reports whether the webhook is in Wagewire's custody.
func (a answer) stored() bool {
	return a.status == http.StatusOK && a.ours && a.said.ID != nil
}

// String is the answer's line: 200 id=… duplicate=false took=3ms.
func (a answer) String() string {
	var b strings.Builder
	fmt.Fprint(&b, a.status)
	switch {
	case a.stored():
		fmt.Fprintf(&b, " id=%s duplicate=%t", cmp.Or(plain(*a.said.ID), "-"), a.said.Duplicate)
		if a.said.Quarantined {
			fmt.Fprint(&b, " quarantined")
		}
	case a.said.Error != "":
		fmt.Fprintf(&b, " error=%q", a.said.Error)
	}
	if a.retryAfter != "" {
		fmt.Fprintf(&b, " retry-after=%s", plain(a.retryAfter))
	}
	fmt.Fprintf(&b, " took=%s", a.took.Round(100*time.Microsecond))
	return b.String()
}

func adviceOnAnswer(a answer, p schema.Provider) string {
	switch {
	case !a.ours:
		return ": this is not ingress's answer: see --url"
	case a.status == http.StatusUnauthorized:
		return ": ingress does not know the secret, or a clock is wrong"
	case a.status == http.StatusNotFound:
		return fmt.Sprintf(": ingress does not serve %s there: set %s_SECRETS_FILE for it, or see --url", p, strings.ToUpper(string(p)))
	case a.status == http.StatusServiceUnavailable:
		return ": ingress could not store it: see its /readyz and log"
	default:
		return ""
	}
}

func listTypes(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TYPE\tPROVIDER\tSAMPLE\tCOMPLETED BY")
	for _, t := range schema.Catalogue() {
		has := "yes"
		if !hasSample(t) {
			has = "no"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, t.Provider, has, cmp.Or(join(t.Workers), "-"))
	}
	return table.Flush()
}

func typeNames() []string {
	var all []string
	for _, w := range schema.Catalogue() {
		all = append(all, w.Name)
	}
	return all
}

func join[T ~string](words []T) string { return strings.Join(toStrings(words), ", ") }

func toStrings[T ~string](words []T) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all
}

// plain quotes what could do more to a terminal than be read.
func plain(s string) string {
	if quoted := strconv.QuoteToASCII(s); quoted != `"`+s+`"` || strings.ContainsAny(s, " \t") {
		return quoted
	}
	return s
}
