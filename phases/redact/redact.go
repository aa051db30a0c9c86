// Package redact takes secrets out of text that people send to others: by their form,
// as keys, tokens and what stands after password=, and by their value, in any encoding.
// It must not read anything: who calls it knows the secrets and the text.
package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Mark stands where a secret was.
const Mark = "[REDACTED]"

// shortest is the length from which a value is looked for: words of fewer bytes stand
// everywhere.
const shortest = 8

// Redactor takes out secrets of any known form, and certain values.
type Redactor struct{ known *strings.Replacer }

// New makes a Redactor that also takes out these values. Of a value with several lines,
// each line counts as one.
func New(secrets []string) *Redactor {
	spellings := map[string]bool{}
	for _, secret := range secrets {
		for _, part := range parts(secret) {
			addSpellings(spellings, part)
		}
	}
	// Of two that begin at the same place the longer one is taken.
	longestFirst := func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }
	var pairs []string
	for _, s := range slices.SortedFunc(maps.Keys(spellings), longestFirst) {
		pairs = append(pairs, s, Mark)
	}
	return &Redactor{known: strings.NewReplacer(pairs...)}
}

// Text is the text without the values and without anything of a secret's form.
func (r *Redactor) Text(text string) string { return Text(r.known.Replace(text)) }

// Text is the text without anything that has a secret's form.
func Text(text string) string {
	return forms(text, func(string) string { return Mark })
}

// Found are the secrets in a text by their form, to be looked for elsewhere.
func Found(text string) []string {
	var all []string
	forms(text, func(secret string) string {
		all = append(all, secret)
		if i := strings.LastIndexAny(secret, ": "); i >= 0 {
			all = append(all, secret[i+1:]) // user:password, Bearer token
		}
		if text, ok := decoded(secret); ok {
			all = append(all, text)
		}
		return Mark
	})
	return all
}

// parts are a secret as a whole, its lines, and these joined: what is in a key file
// appears in any of these ways.
func parts(secret string) []string {
	secret = strings.TrimSpace(secret)
	all := []string{secret}
	var body strings.Builder
	for line := range strings.Lines(secret) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-----") {
			continue
		}
		all = append(all, line)
		body.WriteString(line)
	}
	return append(all, body.String())
}

func addSpellings(all map[string]bool, secret string) {
	if len(secret) < shortest || strings.Contains(Mark, secret) {
		return
	}
	inHex := hex.EncodeToString([]byte(secret))
	inJSON, _ := json.Marshal(secret) // a string can always be encoded
	for _, s := range []string{
		secret, inHex, strings.ToUpper(inHex),
		strings.Trim(string(inJSON), `"`), strings.Trim(strconv.Quote(secret), `"`),
		url.QueryEscape(secret), url.PathEscape(secret),
	} {
		all[s] = true
	}
	for offset := range 3 {
		core := base64At(secret, offset)
		all[core] = true
		all[strings.NewReplacer("+", "-", "/", "_").Replace(core)] = true
	}
}

// base64At is the part of a longer text's base64 that depends on the secret alone, if the
// secret begins this many bytes after a multiple of three: base64 takes three bytes at once.
func base64At(secret string, offset int) string {
	whole := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00\x00"[:offset] + secret))
	from := (offset*8 + 5) / 6
	to := (offset + len(secret)) * 8 / 6
	return whole[from:to]
}
