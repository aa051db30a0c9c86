package snapshot

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

const sealedMagic = "age-encryption.org/"

// ErrSealed is of an archive for which no key was given.
var ErrSealed = errors.New("the archive is encrypted")

type asIs struct{ io.Writer }

func (asIs) Close() error { return nil }

// Seal encrypts what is written to it for a recipient, age1..., unless that is empty; it ends with Close.
func Seal(w io.Writer, recipient string) (io.WriteCloser, error) {
	if recipient == "" {
		return asIs{w}, nil
	}
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("no recipient of age's: %w", err)
	}
	return age.Encrypt(w, to)
}

// Unseal gives what is in an archive, decrypted by the identities of age's file where it is encrypted.
func Unseal(r io.Reader, identities []byte) (io.Reader, error) {
	content := bufio.NewReader(r)
	begin, _ := content.Peek(len(sealedMagic)) // what is shorter is found to be no archive
	if string(begin) != sealedMagic {
		return content, nil
	}
	if len(identities) == 0 {
		return nil, ErrSealed
	}
	keys, err := age.ParseIdentities(bytes.NewReader(identities))
	if err != nil {
		return nil, errors.New("the file of the identity is none of age's") // age's own words could quote a key
	}
	plain, err := age.Decrypt(content, keys...)
	if errors.As(err, new(*age.NoIdentityMatchError)) {
		return nil, errors.New("the archive is encrypted to another key than that of the identity")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}
