package redact

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bootstrap/phases/lazyregexp"
)

// hide is told a secret, and gives what is to stand in its place.
type hide func(secret string) string

// secretName matches the end of a name (of a flag, a field, a variable) whose value is a
// secret.
const secretName = `(?:password|passwd|passphrase|[_-]pass|[_-]pwd|token|secret|credentials?|client-key-data|(?:api|access|private|secret|signing|encryption|shared)[_-]?key(?:[_-]?id)?)`

// secretFlag matches the end of a flag whose value may follow as a word of its own, as in
// --token abc.
const secretFlag = `(?:token|password|passphrase|secret)`

// headerName matches the headers of HTTP whose value is a secret.
const headerName = `authorization|cookie`

// The forms that a secret has within one line. The last group of each is the secret.
var (
	keyOnLine  = lazyregexp.New(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)`)
	keyBegins  = lazyregexp.New(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`)
	keyEnds    = lazyregexp.New(`-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`)
	jwt        = lazyregexp.New(`(eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?)`)
	joinToken  = lazyregexp.New(`\b[a-z0-9]{6}\.([a-z0-9]{16})\b`)
	certKey    = lazyregexp.New(`(?i)certificate[_-]?key[^\w]{1,6}([0-9a-f]{64})`)
	authHeader = lazyregexp.New(`(?i)\b(?:authorization|cookie)\\*["']?\s*[:=]\s*\[?\\*["']?([^"'\\\]{\[]+)`)
	bearer     = lazyregexp.New(`(?i)\bbearer\s+([\w.~+/=-]{16,})`)
	userInfo   = lazyregexp.New(`://([^\s/"'@]+)@`)
	registry   = lazyregexp.New(`(?i)\bauth\\*["']?\s*[:=]\s*\\*["']([A-Za-z0-9+/=_-]{8,})`)
	spacedFlag = lazyregexp.New(`(?i)--[\w-]*` + secretFlag + `(?:\s+|\\*["'],\s*)(\\*"[^"]+"|'[^']+'|[^\s"'\\-][^\s"'\\]{3,})`)
	quotedPair = lazyregexp.New(`(?i)"[\w.-]*` + secretName + `=([^"]+")`)
	namedValue = lazyregexp.New(`(?i)\\*["']?name\\*["']?:\s*\\*["']?[\w.-]*(?:` + secretName + `|` + headerName + `)\\*["']?,\s*\\*["']?value\\*["']?:\s*((?:\\*"[^"]*")|'[^']*'|[^\s"',}][^"',}]*)`)
	valueNamed = lazyregexp.New(`(?i)\\*["']?value\\*["']?:\s*((?:\\*"[^"]*")|'[^']*'|[^\s"',}][^"',}]*),\s*\\*["']?name\\*["']?:\s*\\*["']?[\w.-]*(?:` + secretName + `|` + headerName + `)\b`)
	secretJSON = lazyregexp.New(`\\*"(?:data|stringData)\\*":\s*\{([^{}]*)\}`)
	base64Run  = lazyregexp.New(`[A-Za-z0-9+/_-]{40,}`)

	pair = lazyregexp.New(`(?i)([\w.-]*` + secretName + `)(\\*["']?)(\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|\\+"[^"]*"|[^\s"'\\]+)`)
)

var lineForms = []lazyregexp.Regexp{keyOnLine, jwt, joinToken, certKey, authHeader, bearer, userInfo, registry, spacedFlag, quotedPair, namedValue, valueNamed}

// triggers are words of which every form but joinToken has one, in lower case. Most lines
// have none, and need not be compared with the forms.
var triggers = []string{"pass", "pwd", "token", "secret", "credential", "key", "auth", "cookie", "bearer", "eyj", "://"}

func hasTrigger(line string) bool {
	line = strings.ToLower(line)
	return slices.ContainsFunc(triggers, func(t string) bool { return strings.Contains(line, t) })
}

// forms hides what has a secret's form.
func forms(text string, h hide) string { return formsWithin(text, h, 2) }

// formsWithin looks into base64 too, and in what it finds there into base64 again, so many
// levels deep.
func formsWithin(text string, h hide, depth int) string {
	lines := strings.SplitAfter(text, "\n")
	hideDocuments(lines, h)
	hideKeys(lines, h)
	for i, line := range lines {
		if hasTrigger(line) {
			line = hideOnLine(line, h)
		} else if strings.Contains(line, ".") {
			line = hideGroup(line, joinToken, h)
		}
		if depth > 0 {
			line = hideEncoded(line, h, depth)
		}
		lines[i] = line
	}
	return strings.Join(lines, "")
}

func hideOnLine(line string, h hide) string {
	for _, form := range lineForms {
		line = hideGroup(line, form, h)
	}
	return hideMatches(line, pair, h, valueOfPair)
}

// span is where in a line a secret stands; an empty one is none.
type span struct{ from, to int }

// hideMatches hides what secretIn finds in each match of a form.
func hideMatches(line string, form lazyregexp.Regexp, h hide, secretIn func(line string, match []int) span) string {
	var b strings.Builder
	end := 0
	for _, match := range form().FindAllStringSubmatchIndex(line, -1) {
		s := secretIn(line, match)
		if s.from < end || s.from == s.to {
			continue
		}
		b.WriteString(line[end:s.from])
		b.WriteString(h(line[s.from:s.to]))
		end = s.to
	}
	return b.String() + line[end:]
}

// hideGroup hides the only group of a form.
func hideGroup(line string, form lazyregexp.Regexp, h hide) string {
	return hideMatches(line, form, h, func(line string, m []int) span {
		value := strings.TrimRight(line[m[2]:m[3]], "\r\n ")
		hidden := strings.HasPrefix(line[max(0, m[2]-1):], Mark)
		if hidden || none().MatchString(unquoted(value)) || value == unquoted(value) && syntax().MatchString(value) {
			return span{}
		}
		return within(value, m[2])
	})
}

// valueOfPair tells what is a value from what only follows such a name in a sentence.
func valueOfPair(line string, m []int) span {
	from, to := m[8], m[9]
	before, name, quote, between := line[:m[2]], line[m[2]:m[3]], line[m[4]:m[5]], line[m[6]:m[7]]
	bare := !strings.ContainsAny(line[from:from+1], `"'\`)
	first := beforeFirst().MatchString(before)
	switch {
	case bare && quote == "" && first && strings.HasSuffix(between, " "):
		to = len(strings.TrimRight(line, "\r\n")) // YAML and TOML: to the end of the line
	case bare:
		to = from + len(strings.TrimRight(line[from:to], ",;)]}>"))
	}
	value := line[from:to]
	prose := bare && quote == "" && !first && strings.HasPrefix(between, ":") && strings.HasSuffix(between, " ")
	yaml := bare && strings.HasPrefix(strings.TrimLeft(between, " "), ":")
	if !isSecretValue(name, unquoted(value)) || prose && !looksRandom(value) || yaml && syntax().MatchString(value) {
		return span{}
	}
	return within(value, from)
}

// within is a value without its quotes, which stay: so JSON stays JSON.
func within(value string, at int) span {
	from := at + strings.Index(value, unquoted(value))
	return span{from, from + len(unquoted(value))}
}

// beforeFirst matches the text before a name that is the first thing on its line, or in an
// entry of a list in braces. What the journal and the container runtime write before each line
// does not count.
var beforeFirst = lazyregexp.New(`(?:^|[{,]|^\S+ (?:stdout|stderr) [FP]|^\S+ \S+ \S+\[\d+\]:)[ \t]*-?[ \t]*$`)

var (
	// none is a value that is no secret whatever its name.
	none = lazyregexp.New(`(?i)^(?:true|false|null|nil|none|yes|no|~|\*+|<[a-z]+>|\[redacted.*|<redacted>|\$\(\w+\)|\$\{\w[^}]*\})?$`)
	// syntax begins a list, a mapping, a block or an anchor of YAML, and is no value.
	syntax     = lazyregexp.New(`^(?:[{\[&]\S*|[|>][-+0-9]*)$`)
	commonPath = lazyregexp.New(`^(?:file:/)?/(?:etc|var|run|root|home|usr|tmp|opt|srv|dev|proc)/`)
	objectName = lazyregexp.New(`^[a-z0-9.-]+/[a-z0-9.-]+$`)
)

func isSecretValue(name, value string) bool {
	namesObject := strings.HasSuffix(strings.ToLower(name), "secret") && objectName().MatchString(value)
	return !none().MatchString(value) && !commonPath().MatchString(value) && !namesObject
}

// looksRandom tells a secret from a word of prose.
func looksRandom(value string) bool {
	return len(value) >= shortest && strings.ContainsAny(value, "0123456789")
}

func unquoted(value string) string { return strings.Trim(value, `"'\`) }

// maxKeyLines bounds how many lines are hidden after the beginning of a private key: if
// its end is missing, what follows is text again.
const maxKeyLines = 120

// hideKeys hides private keys that have lines of their own.
func hideKeys(lines []string, h hide) {
	left := 0
	for i, line := range lines {
		frame := strings.Contains(line, " PRIVATE KEY")
		switch {
		case frame && left > 0 && keyEnds().MatchString(line):
			left = 0
		case left > 0:
			left--
			lines[i] = hideLine(line, h)
		case frame && keyBegins().MatchString(line) && !keyEnds().MatchString(line):
			left = maxKeyLines
		}
	}
}

func hideLine(line string, h hide) string {
	content := strings.TrimSpace(line)
	if content == "" {
		return line
	}
	return strings.Replace(line, content, h(content), 1)
}

var (
	isSecret   = lazyregexp.New(`^\s*(?:- )?"?kind"?:\s*"?Secret"?,?\s*$|"kind":\s*"Secret"|\\"kind\\":\s*\\"Secret\\"`)
	dataBegins = lazyregexp.New(`^(\s*)(?:- )?"?(?:data|stringData)"?:\s*\{?\s*$`)
	scalar     = lazyregexp.New(`(?i)^(\s*)(?:- )?[\w.-]*` + secretName + `:\s*[|>][-+0-9]*\s*$`)
	entry      = lazyregexp.New(`^\s*"?[\w.-]+"?:\s*(.+?),?\s*$`)
	envName    = lazyregexp.New(`(?i)^\s*(?:-\s+)?"?name"?:\s*["']?[\w.-]*(?:` + secretName + `|` + headerName + `)["']?,?\s*(?:#.*)?\s*$`)
	flagItem   = lazyregexp.New(`(?i)^\s*(?:- )?["']?--[\w-]*` + secretFlag + `["']?,?\s*$`)
	item       = lazyregexp.New(`^\s*(?:- )?([^\s-].*?),?\s*$`)
	envValue   = lazyregexp.New(`^\s*(?:-\s+)?"?value"?:\s*(.+?),?\s*$`)
	envBlock   = lazyregexp.New(`^\s*(?:-\s+)?"?value"?:\s*[|>][-+0-9]*\s*$`)
)

// hideDocuments hides what is secret by the lines around it, in YAML and JSON.
func hideDocuments(lines []string, h hide) {
	start := 0
	for i, line := range lines {
		if strings.HasPrefix(line, "---") || i == len(lines)-1 {
			hideSecretObjects(lines[start:i+1], h)
			start = i + 1
		}
	}
	hideBlocks(lines, scalar, h)
	for i, line := range lines {
		if i > 0 && flagItem().MatchString(lines[i-1]) {
			lines[i] = hideGroup(line, item, h)
		}
		if !strings.Contains(line, "value") {
			continue
		}
		named := !beginsItem(line) && envName().MatchString(neighbour(lines, i, -1))
		next := neighbour(lines, i, 1)
		names := !beginsItem(next) && envName().MatchString(next)
		switch {
		case !named && !names:
		case envBlock().MatchString(line):
			hideDeeper(lines[i+1:], indentOf(line), func(line string) string { return hideLine(line, h) })
		default:
			lines[i] = hideGroup(line, envValue, h)
		}
	}
}

// neighbour is the next line before (step -1) or after (step 1) that is neither empty nor a
// comment; empty if there is none.
func neighbour(lines []string, i, step int) string {
	for i += step; i >= 0 && i < len(lines); i += step {
		if text := strings.TrimSpace(lines[i]); text != "" && !strings.HasPrefix(text, "#") {
			return lines[i]
		}
	}
	return ""
}

// hideDeeper hides lines up to the first that is not indented more.
func hideDeeper(lines []string, indent int, hideOne func(line string) string) {
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if indentOf(line) <= indent {
			return
		}
		lines[i] = hideOne(line)
	}
}

func beginsItem(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "- ") }

// hideSecretObjects hides the data of a document that is, or holds, a Secret.
func hideSecretObjects(lines []string, h hide) {
	tellsSecret := func(line string) bool { return strings.Contains(line, "Secret") && isSecret().MatchString(line) }
	if !slices.ContainsFunc(lines, tellsSecret) {
		return
	}
	for i, line := range lines {
		lines[i] = hideGroup(line, secretJSON, h)
	}
	hideBlocks(lines, dataBegins, h)
}

// hideBlocks hides the values in a block: the lines that follow one of this form, and are
// indented more.
func hideBlocks(lines []string, begins lazyregexp.Regexp, h hide) {
	for i, line := range lines {
		if m := begins().FindStringSubmatch(line); m != nil {
			hideDeeper(lines[i+1:], len(m[1]), func(line string) string { return hideEntry(line, h) })
		}
	}
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// hideEntry hides the value of an entry and leaves its name. A line of another form it
// hides as a whole.
func hideEntry(line string, h hide) string {
	if entry().MatchString(line) {
		return hideGroup(line, entry, h)
	}
	return hideLine(line, h)
}

// hideEncoded hides base64 of text that holds a secret.
func hideEncoded(line string, h hide, depth int) string {
	return base64Run().ReplaceAllStringFunc(line, func(run string) string {
		text, ok := decoded(run)
		if !ok {
			return run
		}
		found := false
		formsWithin(text, func(secret string) string {
			found = true
			h(secret) // it may stand elsewhere, not encoded
			return Mark
		}, depth-1)
		if !found {
			return run
		}
		return h(run)
	})
}

func decoded(run string) (string, bool) {
	run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
	if len(run)%4 == 1 {
		run = run[:len(run)-1] // it was cut
	}
	data, err := base64.RawStdEncoding.DecodeString(run)
	if err != nil || !utf8.Valid(data) {
		return "", false
	}
	text := string(data)
	notText := func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }
	return text, strings.IndexFunc(text, notText) < 0
}
