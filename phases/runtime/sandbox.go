package runtime

import (
	"context"
	"strconv"
	"strings"
)

// SandboxImage finds the image that containerd starts every pod with in what
// `containerd config dump` prints; empty when it is not there. The CRI has no
// word for it.
func SandboxImage(dump string) string {
	inPinned := false
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inPinned = strings.HasSuffix(line, ".pinned_images]")
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if inPinned && strings.TrimSpace(key) == "sandbox" {
			return tomlString(strings.TrimSpace(value))
		}
	}
	return ""
}

// tomlString takes the quotes off a string of one line.
func tomlString(s string) string {
	if len(s) > 1 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	plain, err := strconv.Unquote(s)
	if err != nil {
		return ""
	}
	return plain
}

// Alias gives an image a second name, under which it is pinned too.
func (i *Images) Alias(ctx context.Context, reference, alias string) error {
	image, err := i.client.ImageService().Get(ctx, reference)
	if err != nil {
		return err
	}
	image.Name, image.Labels = alias, pinned
	_, err = i.client.ImageService().Create(ctx, image)
	return err
}
