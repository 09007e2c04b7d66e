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
	scratchFile = "voiceassist doctor.txt" // a name that must be escaped
	scratchSize = 4 << 10                  // bytes
)

// file returns the path of the scratch file.
func file() webdav.Path {
	p, err := webdav.ParsePath(scratchFile)
	if err != nil {
		panic(err) // impossible: it is a constant
	}
	return p
}

// list asks for the account's own folder.
func (x *examination) list(ctx context.Context) []Finding {
	if err := x.scratch.folder.List(ctx, webdav.Path{}, func(webdav.Entry) error { return nil }); err != nil {
		return davFailed("listing the folder", err)
	}
	return fine("the folder can be listed")
}

// put stores random bytes; the client compares the server's hash with ours.
func (x *examination) put(ctx context.Context) []Finding {
	x.scratch.content = make([]byte, scratchSize)
	_, _ = rand.Read(x.scratch.content) // never fails
	_, err := x.scratch.folder.Put(ctx, file(), webdav.Upload{
		Body: bytes.NewReader(x.scratch.content), Size: scratchSize, IfNoneMatch: "*",
	})
	if err != nil {
		return davFailed("storing a file", err)
	}
	return fine("a file can be stored")
}

// get compares what comes back.
func (x *examination) get(ctx context.Context) []Finding {
	d, err := x.scratch.folder.Get(ctx, file(), nil)
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
	return fine("the file can be read")
}

// remove deletes the file.
func (x *examination) remove(ctx context.Context) []Finding {
	if err := x.scratch.folder.Delete(ctx, file(), ""); err != nil {
		return davFailed("deleting the file", err)
	}
	return fine("the file can be deleted")
}

func davFailed(what string, err error) []Finding {
	t := diagnose(err)
	if _, ok := errors.AsType[*webdav.Error](err); !ok {
		t = broken(err)
	}
	if errors.Is(err, webdav.ErrNotFound) {
		t.cure = proxyCure
	}
	return failed(t.cure, "%s %s", what, t.text)
}
