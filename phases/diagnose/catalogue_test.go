package diagnose

import (
	"regexp"
	"strings"
	"sync"
	"testing"
)

var readOnce = sync.OnceValue(ReadCatalogue) // it takes milliseconds

func catalogue(t *testing.T) Catalogue {
	t.Helper()
	return readOnce()
}

// TestEveryRuleHasItsText: and every text its rule, and each of both is there once.
func TestEveryRuleHasItsText(t *testing.T) {
	texts, err := readTexts(catalogueYAML)
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]int{}
	for _, topic := range topics() {
		for id := range topic {
			rules[id]++
		}
	}
	for _, text := range texts {
		if rules[text.ID] != 1 {
			t.Errorf("%s has %d rules, or its text is there twice", text.ID, rules[text.ID])
		}
		delete(rules, text.ID)
	}
	for id := range rules {
		t.Errorf("%s has no text", id)
	}
}

func TestTextsAreStrict(t *testing.T) {
	for _, bad := range []string{"- id: x\n  name: y\n", "- id: x\n  id: y\n", "- id: [x]\n", "id: x\n"} {
		if texts, err := readTexts([]byte(bad)); err == nil {
			t.Errorf("%q gives %v", bad, texts)
		}
	}
}

// left matches what templates and formats leave where nobody has filled them.
var left = regexp.MustCompile(`\{\{|\}\}|<no value>|%![a-zA-Z(]|%[+#]?[sdvq]`)

// TestEveryPlaceholderIsFilled: texts have none, and those of findings are all filled.
func TestEveryPlaceholderIsFilled(t *testing.T) {
	for _, e := range catalogue(t) {
		if text := strings.Join([]string{e.Title, e.Means, e.Remedy, e.Mend, e.Link}, "\n"); left.MatchString(text) {
			t.Errorf("%s: %q", e.ID, left.FindString(text))
		}
	}
	for _, c := range machineCases {
		m := goodMachine()
		c.change(m)
		for _, f := range catalogue(t).Preflight(m) {
			if text := f.What + f.Remedy + f.See; left.MatchString(text) || f.Remedy == "" {
				t.Errorf("%s: %q", f.ID, text)
			}
		}
	}
}
