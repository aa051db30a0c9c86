package netfilter

import "context"

// ForwardDrops names the chains that drop forwarded packets which no rule of theirs
// accepts, with their tables: "ip filter FORWARD".
func ForwardDrops(ctx context.Context) ([]string, error) {
	var tables []ruleTable
	err := readNFT(ctx, func(c nftConn, _ uint32) (err error) {
		tables, err = c.tables(func(string) bool { return true })
		return err
	})
	if err != nil {
		return nil, err
	}
	old, err := readLegacy(ctx)
	return forwardDrops(append(tables, old...)), err
}

func forwardDrops(tables []ruleTable) []string {
	var drops []string
	for _, t := range tables {
		for _, c := range t.Chains {
			if c.DropsForwarded {
				drops = append(drops, t.Name+" "+c.Name)
			}
		}
	}
	return drops
}
