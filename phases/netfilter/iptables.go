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

// readLegacy reads the tables of xtables, if the kernel has any in use.
func readLegacy(ctx context.Context) ([]ruleTable, error) {
	var all []ruleTable
	var errs []error
	for _, family := range []string{"ip", "ip6"} {
		names, err := os.ReadFile("/proc/net/" + family + "_tables_names") // of tables that are in use
		if errors.Is(err, fs.ErrNotExist) || (err == nil && len(bytes.TrimSpace(names)) == 0) {
			continue
		}
		var save string
		if err == nil {
			save, err = runLegacy(ctx, family, "save", "")
		}
		switch {
		case errors.Is(err, errNoLegacyProgram):
			all = append(all, hiddenTables(family, string(names))...)
		case err != nil:
			errs = append(errs, fmt.Errorf("legacy iptables: %w", err))
		default:
			all = append(all, parseLegacy(family, save)...)
		}
	}
	return all, errors.Join(errs...)
}

func hiddenTables(family, names string) []ruleTable {
	var tables []ruleTable
	for _, name := range strings.Fields(names) {
		tables = append(tables, ruleTable{Name: legacy + family + " " + name, Hidden: true})
	}
	return tables
}

func (n Names) removeFromLegacy(ctx context.Context, before State, table string) error {
	tables, err := readLegacy(ctx)
	tables = slices.DeleteFunc(tables, func(t ruleTable) bool { return t.Name != table })
	plan := n.plan(before, tables)
	if err != nil || len(plan) == 0 {
		return err
	}
	if plan[0].Chain == "" {
		return errNoLegacyProgram
	}
	family, _, _ := strings.Cut(strings.TrimPrefix(table, legacy), " ")
	_, err = runLegacy(ctx, family, "restore", legacyScript(plan), "--noflush", "--wait", legacyLockWait)
	return err
}

// parseLegacy reads what iptables-save prints. Its tables and their built-in chains
// can't be removed: none of the chains counts as Accept, and something uses each table.
func parseLegacy(family, save string) []ruleTable {
	var tables []ruleTable
	for line := range strings.Lines(save) {
		line = strings.TrimSuffix(line, "\n")
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
		t.Chains = append(t.Chains, ruleChain{Name: name, Base: words[1] != "-", DropsForwarded: drops})
		t.Uses++
	}
	at := slices.IndexFunc(t.Chains, func(c ruleChain) bool { return c.Name == words[1] })
	if words[0] != "-A" || at < 0 {
		return
	}
	c := &t.Chains[at]
	c.Rules = append(c.Rules, chainRule{Handle: uint64(len(c.Rules) + 1), Jumps: legacyJumps(words), Text: line})
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

// legacyScript is what iptables-restore --noflush must read to do the plan, which is
// of one table.
func legacyScript(plan []ruleRemoval) string {
	var rules, flush, remove string
	for _, r := range plan {
		if r.Rule.Handle != 0 {
			rules += "-D" + strings.TrimPrefix(r.Rule.Text, "-A") + "\n"
			continue
		}
		flush += "-F " + r.Chain + "\n"
		remove += "-X " + r.Chain + "\n"
	}
	fields := strings.Fields(plan[0].Table)
	return "*" + fields[len(fields)-1] + "\n" + rules + flush + remove + "COMMIT\n"
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
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(stderr.String()))
	}
	return out.String(), nil
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
