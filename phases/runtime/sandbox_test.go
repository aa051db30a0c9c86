package runtime

import "testing"

func TestSandboxImage(t *testing.T) {
	const section = "[plugins]\n  sandbox = 'not.this/one:1'\n  [plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
	for _, c := range []struct{ name, dump, want string }{
		{"as containerd 2 prints it", section + "    sandbox = 'example.test/pause:3.10.1'\n", "example.test/pause:3.10.1"},
		{"double quotes", section + "    sandbox = \"example.test/pause:3.10.1\"\n", "example.test/pause:3.10.1"},
		{"another key before it", section + "    other = 'a/b:1'\n    sandbox = 'example.test/pause:3.10.1'\n", "example.test/pause:3.10.1"},
		{"another section", section + "  [plugins.'io.containerd.cri.v1.images'.registry]\n    sandbox = 'a/b:1'\n", ""},
		{"another key", section + "    sandboxes = 'a/b:1'\n", ""},
		{"no string", section + "    sandbox = 3\n", ""},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := SandboxImage(c.dump); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
