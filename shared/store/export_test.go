package store

import "runtime"

const CheckpointAfter = checkpointAfter

// WaitForQueue returns when so many writes wait for the one that runs.
func WaitForQueue(db *DB, writes int) {
	for db.group.queued.Load() < int64(writes) {
		runtime.Gosched()
	}
}

// CountWaiting adds to the number of writes that the present one believes to wait.
func CountWaiting(db *DB, n int64) { db.group.queued.Add(n) }
