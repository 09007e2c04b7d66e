package provision

// OnReached calls fn after each call and each commit of r, with its name.
func OnReached(r *Reconciler, fn func(point string)) { r.reached = fn }
