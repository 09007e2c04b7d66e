package files

import "io"

// Pour is pour.
func Pour(to io.Writer, from io.Reader) (int64, error) { return pour(to, from) }
