package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cluster-bootstrap/token/api"
	tokens "k8s.io/cluster-bootstrap/token/util"
)

// NodeGroup is the group that kubeadm's rights for joining nodes are bound to.
const NodeGroup = "system:bootstrappers:kubeadm:default-node-token"

// Token is a bootstrap token. Only Value shows its secret.
type Token struct {
	ID          string    `json:"-"`
	Secret      string    `json:"-"`
	Expires     time.Time `json:"expires,omitzero"` // in UTC; zero: never
	Usages      []string  `json:"usages,omitempty"` // signing, authentication
	Description string    `json:"description,omitempty"`
	Groups      []string  `json:"groups,omitempty"` // that its bearer belongs to
}

// NewToken makes a random token by which nodes can join.
func NewToken() (Token, error) {
	value, err := tokens.GenerateBootstrapToken()
	if err != nil {
		return Token{}, err
	}
	return ParseToken(value)
}

// ParseToken reads a token's value, and makes it one by which nodes can join. Its
// error does not repeat what could be half a secret.
func ParseToken(value string) (Token, error) {
	if !tokens.IsValidBootstrapToken(value) {
		return Token{}, errors.New("a bootstrap token is 6 letters or digits, a dot, and 16 more: abcdef.0123456789abcdef (all lower case)")
	}
	id, secret, _ := strings.Cut(value, ".")
	return Token{ID: id, Secret: secret, Usages: slices.Clone(api.KnownTokenUsages), Groups: []string{NodeGroup}}, nil
}

// TokenID gives the id of a token, which may be given whole or by its id.
func TokenID(value string) (string, error) {
	if tokens.IsValidBootstrapTokenID(value) {
		return value, nil
	}
	t, err := ParseToken(value)
	return t.ID, err
}

// Value is the whole token, for those who asked for it.
func (t Token) Value() string { return tokens.TokenFromIDAndSecret(t.ID, t.Secret) }

// String hides the secret.
func (t Token) String() string { return t.ID + ".****************" }

// GoString hides it too.
func (t Token) GoString() string { return t.String() }

// Check says what the API server's controllers would pass over in silence.
func (t Token) Check() error {
	errs := []error{tokens.ValidateUsages(t.Usages)}
	for _, group := range t.Groups {
		errs = append(errs, tokens.ValidateBootstrapGroupName(group))
	}
	if len(t.Usages) == 0 {
		errs = append(errs, errors.New("a token without usages is of no use"))
	}
	if len(t.Groups) > 0 && !slices.Contains(t.Usages, "authentication") {
		errs = append(errs, errors.New("a token with groups needs the usage authentication"))
	}
	return errors.Join(errs...)
}

func (t Token) object() *corev1.Secret {
	data := map[string][]byte{
		api.BootstrapTokenIDKey:     []byte(t.ID),
		api.BootstrapTokenSecretKey: []byte(t.Secret),
	}
	if t.Description != "" {
		data[api.BootstrapTokenDescriptionKey] = []byte(t.Description)
	}
	if !t.Expires.IsZero() {
		data[api.BootstrapTokenExpirationKey] = []byte(t.Expires.UTC().Format(time.RFC3339))
	}
	for _, usage := range t.Usages {
		data[api.BootstrapTokenUsagePrefix+usage] = []byte("true")
	}
	if len(t.Groups) > 0 {
		data[api.BootstrapTokenExtraGroupsKey] = []byte(strings.Join(t.Groups, ","))
	}
	secret := newSecret(tokens.BootstrapTokenSecretName(t.ID), data)
	secret.Type = api.SecretTypeBootstrapToken
	return secret
}

func tokenOf(secret *corev1.Secret) (Token, error) {
	t := Token{
		ID:          string(secret.Data[api.BootstrapTokenIDKey]),
		Secret:      string(secret.Data[api.BootstrapTokenSecretKey]),
		Description: string(secret.Data[api.BootstrapTokenDescriptionKey]),
	}
	if !tokens.IsValidBootstrapToken(t.Value()) || secret.Name != tokens.BootstrapTokenSecretName(t.ID) {
		return Token{}, fmt.Errorf("%s of kube-system is no valid bootstrap token", secret.Name)
	}
	if text := secret.Data[api.BootstrapTokenExpirationKey]; len(text) > 0 {
		at, err := time.Parse(time.RFC3339, string(text))
		if err != nil {
			return Token{}, fmt.Errorf("%s of kube-system: expiration: %w", secret.Name, err)
		}
		t.Expires = at.UTC()
	}
	for _, usage := range api.KnownTokenUsages {
		if string(secret.Data[api.BootstrapTokenUsagePrefix+usage]) == "true" {
			t.Usages = append(t.Usages, usage)
		}
	}
	if groups := secret.Data[api.BootstrapTokenExtraGroupsKey]; len(groups) > 0 {
		t.Groups = strings.Split(string(groups), ",")
	}
	return t, nil
}

// ApplyToken makes the token what t says. One that has this secret already keeps its
// expiration, so that doing it again changes nothing.
func (c *Cluster) ApplyToken(ctx context.Context, t Token) error {
	now, found, err := c.token(ctx, t.ID)
	if err != nil {
		return err
	}
	if found && now.Secret == t.Secret {
		t.Expires = now.Expires
	}
	_, err = c.applySecret(ctx, t.object())
	return err
}

// CreateToken makes a token; one of this id must not be there.
func (c *Cluster) CreateToken(ctx context.Context, t Token) error {
	_, found, err := c.token(ctx, t.ID)
	if err != nil {
		return err
	}
	if found {
		return fmt.Errorf("there is a token with the id %s already", t.ID)
	}
	_, err = c.applySecret(ctx, t.object())
	return err
}

// token finds a token by its id. In a plan whose API server is still to be made there is none.
func (c *Cluster) token(ctx context.Context, id string) (Token, bool, error) {
	secret, found, err := c.secret(ctx, tokens.BootstrapTokenSecretName(id))
	if err != nil || !found {
		return Token{}, false, err
	}
	t, err := tokenOf(secret)
	return t, err == nil, err
}

// Tokens lists all bootstrap tokens, by id. Secrets of their type that hold no valid token
// are told in the error; the list is good all the same.
func (c *Cluster) Tokens(ctx context.Context) ([]Token, error) {
	var all corev1.SecretList
	ofTokens := metav1.ListOptions{FieldSelector: "type=" + string(api.SecretTypeBootstrapToken)}
	err := c.list(ctx, c.core("secrets", metav1.NamespaceSystem), ofTokens, &all)
	if err != nil && c.plans {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list bootstrap tokens: %w", err)
	}
	var found []Token
	var errs []error
	for _, secret := range all.Items {
		t, err := tokenOf(&secret)
		if err == nil {
			found = append(found, t)
		}
		errs = append(errs, err)
	}
	slices.SortFunc(found, func(a, b Token) int { return cmp.Compare(a.ID, b.ID) })
	return found, errors.Join(errs...)
}

// DeleteToken deletes a token by its id.
func (c *Cluster) DeleteToken(ctx context.Context, id string) error {
	err := c.delete(ctx, c.core("secrets", metav1.NamespaceSystem), tokens.BootstrapTokenSecretName(id), metav1.DeleteOptions{})
	if IsNotFound(err) {
		return fmt.Errorf("there is no token with the id %s", id)
	}
	if err != nil {
		return fmt.Errorf("delete token %s: %w", id, err)
	}
	return nil
}
