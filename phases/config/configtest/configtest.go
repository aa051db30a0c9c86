// Package configtest gives tests the valid configs of testdata/config. It must not be
// imported outside of tests.
package configtest

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"bootstrap/phases/config"
)

// Machine is the machine that all of them are read for.
var Machine = config.Machine{Hostname: "node-1", Address: netip.MustParseAddr("192.0.2.10")}

// Valid parses testdata/config/valid-NAME.yaml.
func Valid(t testing.TB, name string) *config.Config {
	t.Helper()
	return parse(t, Testdata("config/valid-"+name+".yaml"))
}

// People parses the files of testdata/config/people that are not refused: those that are valid or warned of.
func People(t testing.TB) map[string]*config.Config {
	t.Helper()
	files, err := filepath.Glob(Testdata("config/people/[vw]*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files, %v", err)
	}
	all := map[string]*config.Config{}
	for _, file := range files {
		all[filepath.Base(file)] = parse(t, file)
	}
	return all
}

func parse(t testing.TB, file string) *config.Config {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(file, data, Machine)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Testdata is a path below the project's testdata, from wherever a test runs.
func Testdata(path string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "../../../testdata", path)
}
