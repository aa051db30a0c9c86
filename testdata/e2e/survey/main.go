// Command survey prints, as JSON, all that makes the state of the machine it runs
// on: files, mounts, units, network, rules, settings, processes. Two surveys of a
// machine to which nothing was done are equal; what would not be is left out, and
// stands in unwatched.go with the reason.
//
//	survey             everything
//	survey files DIR   only the files below DIR
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// survey is what is printed. Each fact is lines in a fixed order.
type survey struct {
	Files map[string]string
	Facts map[string][]string
}

func main() {
	s, err := take(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(s)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "survey: %v\n", err)
		os.Exit(1)
	}
}

func take(args []string) (survey, error) {
	if len(args) == 2 && args[0] == "files" {
		files, err := readFiles(args[1])
		return survey{Files: files}, err
	}
	if len(args) > 0 {
		return survey{}, fmt.Errorf("unknown arguments %q", args)
	}
	files, err := readFiles("/")
	if err != nil {
		return survey{}, err
	}
	s := survey{Files: files, Facts: map[string][]string{}}
	for _, f := range facts {
		if s.Facts[f.name], err = f.read(); err != nil {
			return survey{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return s, nil
}
