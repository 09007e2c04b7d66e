package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"

	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

const (
	scratchFile = "voiceassist doctor.txt" // with a space, which must be escaped
	scratchSize = 4 << 10                  // bytes
)

// scratchPath returns the path of the scratch file.
func scratchPath() webdav.Path {
	p, err := webdav.ParsePath(scratchFile)
	if err != nil {
		panic(err) // impossible: it is a constant
	}
	return p
}

// list lists the root folder of the scratch account.
func (x *examination) list(ctx context.Context) []Finding {
	if err := x.scratch.folder.List(ctx, webdav.Path{}, func(webdav.Entry) error { return nil }); err != nil {
		return davFailed("listing the folder", err)
	}
	return passed("the folder can be listed")
}

// put stores random bytes. The client compares the server's hash with its own.
func (x *examination) put(ctx context.Context) []Finding {
	x.scratch.content = make([]byte, scratchSize)
	_, _ = rand.Read(x.scratch.content) // never fails
	_, err := x.scratch.folder.Put(ctx, scratchPath(), webdav.Upload{
		Body: bytes.NewReader(x.scratch.content), Size: scratchSize, IfNoneMatch: "*",
	})
	if err != nil {
		return davFailed("storing a file", err)
	}
	return passed("a file can be stored")
}

// get downloads the file and compares it with the uploaded bytes.
func (x *examination) get(ctx context.Context) []Finding {
	d, err := x.scratch.folder.Get(ctx, scratchPath(), nil)
	if err != nil {
		return davFailed("reading the file", err)
	}
	defer d.Body.Close()
	got, err := io.ReadAll(io.LimitReader(d.Body, scratchSize+1))
	switch {
	case err != nil:
		return davFailed("reading the file", err)
	case !bytes.Equal(got, x.scratch.content):
		return failed("Check what changes bodies on the way to Nextcloud: a proxy that compresses or inspects, "+
			"an antivirus app, a broken disk.", "the downloaded file differs from the uploaded one")
	}
	return passed("the file can be read")
}

// remove deletes the file.
func (x *examination) remove(ctx context.Context) []Finding {
	if err := x.scratch.folder.Delete(ctx, scratchPath(), ""); err != nil {
		return davFailed("deleting the file", err)
	}
	return passed("the file can be deleted")
}

func davFailed(what string, err error) []Finding {
	t := diagnose(err)
	if _, ok := errors.AsType[*webdav.Error](err); !ok {
		t = diagnoseConn(err)
	}
	if errors.Is(err, webdav.ErrNotFound) {
		t.fix = proxyFix
	}
	return failed(t.fix, "%s %s", what, t.text)
}
