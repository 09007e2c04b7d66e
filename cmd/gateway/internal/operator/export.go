package operator

import (
	"context"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
)

// exportPage is how many accounts one statement of [Operator.Export] reads.
const exportPage = 200

// Export calls fn for each account, oldest first, and returns how many there were. It
// ends with the first error of fn. It may miss accounts that are deleted or created
// while it runs.
func (o *Operator) Export(ctx context.Context, fn func(store.HashedAccount) error) (n int, err error) {
	var last account.ID
	for {
		list, err := o.DB.AccountsAndHashes(ctx, last, exportPage)
		if err != nil {
			return n, err
		}
		for _, a := range list {
			if err := fn(a); err != nil {
				return n, err
			}
			last = a.ID
			n++
		}
		if len(list) < exportPage {
			return n, nil
		}
	}
}
