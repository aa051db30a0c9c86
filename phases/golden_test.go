package phases

import (
	cli "flag" // flag is a function of this package
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
)

var update = cli.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares with a file of testdata/golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("../testdata/golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test ./phases -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// machine is where configs are read in tests.
var goldenMachine = config.Machine{Hostname: "node-1", Address: netip.MustParseAddr("192.0.2.10")}

// validConfig parses testdata/config/valid-NAME.yaml.
func validConfig(t *testing.T, name string) *config.Config {
	t.Helper()
	file := "../testdata/config/valid-" + name + ".yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, file, data)
}

func parsed(t *testing.T, file string, data []byte) *config.Config {
	t.Helper()
	c, err := config.Parse(file, data, goldenMachine)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
