package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/cluster"
	"bootstrap/phases/plan"
)

// apiPatience is how long these commands wait for an answer of the API server.
const apiPatience = 10 * time.Second

func newTokenCommand() *cobra.Command {
	var kubeconfig string
	cmd := newGroup("token", "Create, list and delete bootstrap tokens, by which nodes join",
		newTokenCreateCommand(&kubeconfig), newTokenListCommand(&kubeconfig), newTokenDeleteCommand(&kubeconfig),
		newTokenGenerateCommand())
	cmd.PersistentFlags().StringVar(&kubeconfig, "kubeconfig", "/etc/kubernetes/admin.conf", "kubeconfig to reach the API server with")
	return cmd
}

// connect reads a kubeconfig; nothing is sent yet.
func connect(kubeconfig string) (*cluster.Cluster, error) {
	data, err := os.ReadFile(kubeconfig)
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		err = phases.ErrNotRoot
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: run this on a control plane, or give --kubeconfig FILE", err)
	}
	if err != nil {
		return nil, plan.Refused(err)
	}
	c, err := cluster.Connect(data, "")
	if err != nil {
		return nil, plan.Refused(fmt.Errorf("%s: %w", kubeconfig, err))
	}
	return c.Within(apiPatience), nil
}

type tokenCreateOptions struct {
	ttl              time.Duration
	description      string
	usages, groups   []string
	printJoinCommand bool
	certificateKey   string
}

func newTokenCreateCommand(kubeconfig *string) *cobra.Command {
	var o tokenCreateOptions
	cmd := &cobra.Command{
		Use:   "create [TOKEN]",
		Short: "Create a bootstrap token and print it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := o.token(first(args), cmd.Flags().Changed("groups"))
			if err != nil {
				return wrongCall(cmd, err)
			}
			return runTokenCreate(cmd, *kubeconfig, t, o)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.ttl, "ttl", 24*time.Hour, "how long it is valid; 0: for ever")
	f.StringVar(&o.description, "description", "", "what it is for")
	f.StringSliceVar(&o.usages, "usages", []string{"signing", "authentication"}, "what it may be used for")
	f.StringSliceVar(&o.groups, "groups", []string{cluster.NodeGroup}, "groups that its bearer belongs to")
	f.BoolVar(&o.printJoinCommand, "print-join-command", false, "print the whole kubeadm join command")
	f.StringVar(&o.certificateKey, "certificate-key", "", "with --print-join-command: the key of upload-certs, to join as a control plane")
	return cmd
}

// token is what the flags ask for. The default groups only go with authentication.
func (o tokenCreateOptions) token(value string, groupsGiven bool) (cluster.Token, error) {
	t, err := cluster.NewToken()
	if value != "" {
		t, err = cluster.ParseToken(value)
	}
	if err != nil {
		return t, err
	}
	switch {
	case o.ttl < 0:
		return t, fmt.Errorf("--ttl %s is negative", o.ttl)
	case o.ttl > 0:
		t.Expires = time.Now().Add(o.ttl)
	}
	t.Description, t.Usages, t.Groups = o.description, o.usages, o.groups
	if !groupsGiven && !slices.Contains(o.usages, "authentication") {
		t.Groups = nil
	}
	if o.certificateKey != "" {
		_, err = cluster.ParseCertificateKey(o.certificateKey)
		if !o.printJoinCommand {
			err = errors.New("--certificate-key is only for --print-join-command")
		}
	}
	return t, errors.Join(err, t.Check())
}

func runTokenCreate(cmd *cobra.Command, kubeconfig string, t cluster.Token, o tokenCreateOptions) error {
	c, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	line := t.Value()
	if o.printJoinCommand {
		if line, err = c.JoinCommand(t, o.certificateKey); err != nil {
			return plan.Refused(fmt.Errorf("%s: %w", kubeconfig, err))
		}
	}
	if err := c.CreateToken(cmd.Context(), t); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), line)
	return err
}

func newTokenListCommand(kubeconfig *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List bootstrap tokens, with their secrets",
		RunE:  func(cmd *cobra.Command, _ []string) error { return runTokenList(cmd, *kubeconfig, asJSON) },
	}
	addOutputFlag(cmd, &asJSON, "text, or json: one object with all tokens")
	return cmd
}

// tokenList is all of token list -o json.
type tokenList struct {
	Schema string      `json:"schema"`
	Tokens []tokenItem `json:"tokens"`
}

type tokenItem struct {
	Value string `json:"token"`
	cluster.Token
}

// runTokenList lists what it can, also when one of them is broken.
func runTokenList(cmd *cobra.Command, kubeconfig string, asJSON bool) error {
	c, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	tokens, failed := c.Tokens(cmd.Context())
	if failed != nil && len(tokens) == 0 {
		return failed
	}
	if asJSON {
		list := tokenList{Schema: outputVersion, Tokens: []tokenItem{}}
		for _, t := range tokens {
			list.Tokens = append(list.Tokens, tokenItem{t.Value(), t})
		}
		return errors.Join(failed, printJSON(out, list))
	}
	return errors.Join(failed, printTokens(out, tokens))
}

func printTokens(out io.Writer, tokens []cluster.Token) error {
	table := newTable(out, "TOKEN\tTTL\tEXPIRES\tUSAGES\tDESCRIPTION\tGROUPS")
	for _, t := range tokens {
		expires := ""
		if !t.Expires.IsZero() {
			expires = t.Expires.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Value(), timeLeft(t.Expires, time.Now()), printable(expires),
			printable(strings.Join(t.Usages, ",")), printable(t.Description), printable(strings.Join(t.Groups, ",")))
	}
	return table.Flush()
}

func timeLeft(expires, now time.Time) string {
	left := expires.Sub(now)
	switch {
	case expires.IsZero():
		return "forever"
	case left <= 0:
		return "expired"
	}
	return age(left)
}

func newTokenDeleteCommand(kubeconfig *string) *cobra.Command {
	return &cobra.Command{
		Use:   "delete TOKEN...",
		Short: "Delete bootstrap tokens, given whole or by their ids",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runTokenDelete(cmd, *kubeconfig, args) },
	}
}

func runTokenDelete(cmd *cobra.Command, kubeconfig string, tokens []string) error {
	var ids []string
	for _, token := range tokens {
		id, err := cluster.TokenID(token)
		if err != nil {
			return wrongCall(cmd, err)
		}
		ids = append(ids, id)
	}
	c, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		err := c.DeleteToken(cmd.Context(), id)
		errs = append(errs, err)
		if err == nil {
			fmt.Fprintf(cmd.OutOrStdout(), "token %s deleted\n", id)
		}
	}
	return errors.Join(errs...)
}

func newTokenGenerateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "generate",
		Short: "Print a random bootstrap token, and create nothing",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cluster.NewToken()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), t.Value())
			return err
		},
	}
}
