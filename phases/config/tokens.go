package config

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"
	"k8s.io/utils/ptr"
)

const (
	defaultTokenTTL   = 24 * time.Hour
	defaultTokenGroup = "system:bootstrappers:kubeadm:default-node-token"
)

// bootstrapTokens reads the tokens; their text is a secret, and stands in no message.
func (b *builder) bootstrapTokens(file []bootstrapToken) []BootstrapToken {
	var tokens []BootstrapToken
	for i, t := range file {
		field := at("bootstrapTokens", i)
		b.badIf(t.Token != "" && !bootstraputil.IsValidBootstrapToken(t.Token), field+".token",
			"want 6 and 16 lower case letters and digits, with a dot between them; bootstrap token generate makes one")
		id, secret, _ := strings.Cut(t.Token, ".")
		description := strings.Join(strings.Fields(t.Description), " ") // lists of tokens show it in one line
		token := BootstrapToken{ID: id, Secret: secret, Description: description, Usages: t.Usages, Groups: t.Groups}
		token.TTL, token.Expires = b.tokenLifetime(field, t)
		if len(token.Usages) == 0 {
			token.Usages = bootstrapapi.KnownTokenUsages
		}
		if len(token.Groups) == 0 && slices.Contains(token.Usages, "authentication") {
			token.Groups = []string{defaultTokenGroup}
		}
		tokens = append(tokens, token)
	}
	return tokens
}

func (b *builder) tokenLifetime(field string, t bootstrapToken) (ttl time.Duration, expires time.Time) {
	if t.Expires == "" {
		return ptr.Deref(t.TTL, defaultTokenTTL), expires
	}
	b.badIf(t.TTL != nil, field+".expires", "give either this or ttl")
	expires, err := time.Parse(time.RFC3339, t.Expires)
	b.badIf(err != nil, field+".expires", "%q is no time such as 2030-01-31T12:00:00Z", t.Expires)
	return 0, expires
}

func (b *builder) validateTokens(c *Config) {
	for i, t := range c.BootstrapTokens {
		field := at("bootstrapTokens", i)
		b.badIf(t.TTL < 0 || t.TTL > 0 && t.TTL < time.Second, field+".ttl",
			"%s is under a second; 0s is for ever", t.TTL)
		b.badIf(!isText(t.Description), field+".description", "it holds a line break, NUL or bytes that are no text")
		if t.ID != "" && slices.ContainsFunc(c.BootstrapTokens[:i], func(other BootstrapToken) bool { return other.ID == t.ID }) {
			b.bad(field+".token", "another token has the same ID, which is what it is stored under")
		}
		b.validateTokenRights(field, t)
	}
	key, err := hex.DecodeString(c.CertificateKey)
	b.badIf(err != nil || len(key) != 0 && len(key) != 32, "certificateKey", "want 64 hexadecimal digits")
}

func (b *builder) validateTokenRights(field string, t BootstrapToken) {
	for i, usage := range t.Usages {
		b.validateOneOf(at(field+".usages", i), usage, bootstrapapi.KnownTokenUsages)
	}
	b.badIf(len(t.Groups) > 0 && !slices.Contains(t.Usages, "authentication"), field+".groups",
		"they need authentication among the usages")
	for i, group := range t.Groups {
		if bootstraputil.ValidateBootstrapGroupName(group) != nil {
			b.bad(at(field+".groups", i), "%q must begin with %s and hold only lower case letters, digits, ':' and '-'", group, bootstrapapi.BootstrapDefaultGroup+":")
		}
	}
}
