package netfilter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The older xtables have rules of their own, which nftables does not show. Only
// their own programs can tell and change them.

const (
	legacyTimeout  = 20 * time.Second
	legacyLockWait = "10" // seconds
)

var errNoLegacyProgram = errors.New("the kernel has this table, but there is no iptables-legacy-save to look into it")

// readLegacy reads the tables of xtables that the kernel has in use, and want is true for.
func readLegacy(ctx context.Context, want func(table string) bool) ([]ruleTable, error) {
	var all []ruleTable
	var errs []error
	for _, family := range []string{"ip", "ip6"} {
		tables, err := readFamily(ctx, family)
		if err != nil {
			errs = append(errs, fmt.Errorf("legacy iptables: %w", err))
		}
		all = append(all, tables...)
	}
	return slices.DeleteFunc(all, func(t ruleTable) bool { return !want(t.Name) }), errors.Join(errs...)
}

func readFamily(ctx context.Context, family string) ([]ruleTable, error) {
	names, err := os.ReadFile("/proc/net/" + family + "_tables_names") // of tables that are in use
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(names)) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	save, err := runLegacy(ctx, family, "save", "")
	switch {
	case errors.Is(err, errNoLegacyProgram):
		return hiddenTables(family, string(names)), nil
	case err != nil:
		return nil, err // what it printed before it failed may lack something
	}
	return parseLegacy(family, save), nil
}

func hiddenTables(family, names string) []ruleTable {
	var tables []ruleTable
	for _, name := range strings.Fields(names) {
		tables = append(tables, ruleTable{Name: legacy + family + " " + name, Hidden: true})
	}
	return tables
}

func removeLegacy(ctx context.Context, t ruleTable, r removal) error {
	if t.Hidden {
		return errNoLegacyProgram
	}
	family := strings.Fields(t.Name)[1]
	_, err := runLegacy(ctx, family, "restore", legacyScript(t, r), "--noflush", "--wait", legacyLockWait)
	return err
}

// parseLegacy reads what iptables-save prints. Its tables and their built-in chains
// can't be removed: none of the chains counts as Accept, and something uses each table.
func parseLegacy(family, save string) []ruleTable {
	var tables []ruleTable
	for line := range strings.SplitSeq(save, "\n") {
		words := ruleWord.FindAllString(line, -1)
		switch {
		case strings.HasPrefix(line, "*"):
			tables = append(tables, ruleTable{Name: legacy + family + " " + line[1:], Uses: 1})
		case len(tables) > 0 && len(words) > 1:
			tables[len(tables)-1].addLegacy(line, words)
		}
	}
	return tables
}

// addLegacy adds the chain or the rule that a line is about.
func (t *ruleTable) addLegacy(line string, words []string) {
	if name, ok := strings.CutPrefix(words[0], ":"); ok {
		drops := name == "FORWARD" && words[1] == "DROP" && strings.HasSuffix(t.Name, " filter")
		t.Chains = append(t.Chains, &ruleChain{Name: name, Base: words[1] != "-", DropsForwarded: drops})
		t.Uses++
	}
	at := slices.IndexFunc(t.Chains, func(c *ruleChain) bool { return c.Name == words[1] })
	if words[0] != "-A" || at < 0 {
		return
	}
	c := t.Chains[at]
	c.Rules = append(c.Rules, chainRule{Chain: c.Name, Jumps: legacyJumps(words), Text: line})
}

func legacyJumps(words []string) []string {
	var jumps []string
	for i, word := range words[:len(words)-1] {
		if word == "-j" || word == "-g" {
			jumps = append(jumps, words[i+1])
		}
	}
	return jumps
}

// ruleWord is a word of a rule. One that has spaces stands in double quotes, in which a
// backslash protects the next character; the quotes stay, so that a comment is never taken
// for an option.
var ruleWord = regexp.MustCompile(`(?:[^ "]|"(?:[^"\\]|\\.)*")+`)

// legacyScript is what iptables-restore --noflush must read to do the removal.
func legacyScript(t ruleTable, r removal) string {
	var rules, flush, remove string
	for _, rule := range r.Rules {
		rules += "-D" + strings.TrimPrefix(rule.Text, "-A") + "\n"
	}
	for _, chain := range r.Chains {
		flush += "-F " + chain + "\n"
		remove += "-X " + chain + "\n"
	}
	return "*" + strings.Fields(t.Name)[2] + "\n" + rules + flush + remove + "COMMIT\n"
}

// programDirs are where root's programs lie: su leaves some of them out of $PATH.
var programDirs = []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"}

// runLegacy runs iptables-legacy-save or its kin with input, and gives its output.
func runLegacy(ctx context.Context, family, verb, input string, args ...string) (string, error) {
	program, err := legacyProgram(ctx, family, verb)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, legacyTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(failed.Stderr))
	}
	return string(out), err
}

// legacyProgram finds the program of that kind: iptables-legacy-save, or an
// iptables-save that is not the one of nftables.
func legacyProgram(ctx context.Context, family, verb string) (string, error) {
	for _, name := range []string{family + "tables-legacy-" + verb, family + "tables-" + verb} {
		for _, dir := range programDirs {
			program := filepath.Join(dir, name)
			out, err := exec.CommandContext(ctx, program, "--version").Output()
			if err == nil && !strings.Contains(string(out), "nf_tables") {
				return program, nil
			}
		}
	}
	return "", errNoLegacyProgram
}
