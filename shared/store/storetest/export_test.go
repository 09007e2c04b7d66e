package storetest

import "context"

// Sweep does what the first database of a process does on the server.
func Sweep(ctx context.Context, admin string) error {
	var w templateDatabases
	defer w.close()
	return w.open(ctx, admin)
}
