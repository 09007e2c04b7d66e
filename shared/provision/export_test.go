package provision

// OnReached calls fn after each call and each commit of r, with its name.
func OnReached(r *Reconciler, fn func(point string)) { r.reached = fn }

// Room is the time that must be left to begin with an account.
const Room = room

// Key is what stands for the settings of r in the store.
func Key(r *Reconciler) string { return r.key }
