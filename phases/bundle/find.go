package bundle

import (
	"errors"
	"io/fs"
	"path/filepath"
)

const (
	fileName = "bundle.tar.zst"
	shareDir = "/usr/local/share/bootstrap"
)

// Find opens the bundle to use: the explicit path if there is one, else the one in the
// executable, beside it, or in /usr/local/share/bootstrap. A bundle that is there but
// damaged is an error, not passed over. It is nil if there is none at all.
func Find(explicit, executable string) (*Bundle, error) {
	if explicit != "" {
		return Open(explicit)
	}
	return search(executable, shareDir)
}

func search(executable, share string) (*Bundle, error) {
	beside := filepath.Join(filepath.Dir(executable), fileName)
	for _, path := range []string{executable, beside, filepath.Join(share, fileName)} {
		b, err := Open(path)
		plain := path == executable && errors.Is(err, errNotBundle)
		if plain || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return b, err
	}
	return nil, nil
}
