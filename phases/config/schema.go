package config

import (
	_ "embed" // of the schema
	"encoding/json"
	"maps"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema of a config file's documents, for editors.
func Schema() []byte { return slices.Clone(schema) }

// fieldNames are the names of all fields that the schema describes.
func fieldNames() []string {
	var s struct {
		Defs map[string]struct {
			Properties map[string]json.RawMessage `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil // without names there are no guesses
	}
	names := map[string]bool{}
	for _, def := range s.Defs {
		for name := range def.Properties {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
