package nextcloudtest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// put answers PUT. A new file appears when it is complete. An existing one is
// overwritten in place, and is lost if the body breaks off.
func (c *davCall) put() *davFault {
	n, isNew, f := c.begin()
	if f != nil {
		return f
	}
	blob, got, sums, err := c.receive()
	c.mu.Lock()
	defer c.mu.Unlock()
	n.busy = false
	delete(c.uploading, n)
	short := c.r.ContentLength >= 0 && got < c.r.ContentLength
	switch {
	case blob == "":
		return &davFault{500, "!Exception", "cannot write"}
	case (err != nil || short) && isNew:
		errors.Join(os.Remove(blob))
		return brokenOff(c.r.ContentLength, got)
	case err != nil || short:
		c.replace(n, blob, got, "")
		return brokenOff(c.r.ContentLength, got)
	}
	status := http.StatusNoContent
	checksum := c.r.Header.Get("OC-Checksum")
	if isNew {
		folder, there, err := place(c.root, c.names)
		switch {
		case err != nil:
			return parentMissing(c.names)
		case there != nil: // it was made meanwhile
			return locked(n.name)
		}
		n.blob, n.size, n.checksum = blob, got, checksum
		c.retag(n)
		c.attach(folder, n)
		status = http.StatusCreated
	} else {
		c.replace(n, blob, got, checksum)
	}
	for name, sum := range sums {
		c.w.Header().Set("X-Hash-"+name, hex.EncodeToString(sum.Sum(nil)))
	}
	if f := c.setTime(n); f != nil {
		return f
	}
	c.written(status, n)
	return nil
}

func brokenOff(want, got int64) *davFault {
	return &davFault{400, "BadRequest", fmt.Sprintf(
		"Expected filesize of %d bytes but read (from Nextcloud client) and wrote (to Nextcloud storage) %d bytes.", want, got)}
}

func parentMissing(names []string) *davFault { return notFound(names[:len(names)-1]) }

// begin makes the checks before the body, and returns the target file, marked as
// busy.
func (c *davCall) begin() (n *node, isNew bool, f *davFault) {
	c.mu.Lock()
	folder, there, err := place(c.root, c.names)
	var seen *node // as it is now
	if there != nil {
		copied := *there
		seen = &copied
	}
	c.mu.Unlock()
	switch {
	case len(c.names) == 0:
		return nil, false, &davFault{409, "Conflict", "PUT is not allowed on non-files."}
	case err != nil:
		return nil, false, parentMissing(c.names)
	case there != nil && there.folder():
		return nil, false, &davFault{409, "Conflict", "PUT is not allowed on non-files."}
	}
	if f := c.conditions(seen); f != nil {
		return nil, false, f
	}
	name := c.names[len(c.names)-1]
	if strings.HasSuffix(name, ".part") && c.r.Header.Get("If-None-Match") == "*" { // it counts as existing
		return nil, false, &davFault{412, "PreconditionFailed", "An If-None-Match header was specified, but the ETag matched (or * was specified)."}
	}
	if c.r.Header.Get("Content-Range") != "" {
		return nil, false, &davFault{400, "BadRequest", "Content-Range on PUT requests are forbidden."}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	total, _ := strconv.ParseInt(c.r.Header.Get("OC-Total-Length"), 10, 64)
	total = max(total, c.r.ContentLength)
	if free := c.free(c.who); c.root == c.who.files && free >= 0 && total > free {
		return nil, false, &davFault{507, "InsufficientStorage",
			fmt.Sprintf("Insufficient space in /%s, %d required, %d available", name, total, free)}
	}
	if there == nil {
		if f := refuseNew(name, true); f != nil {
			return nil, false, f
		}
	}
	if there != nil {
		if there.busy {
			return nil, false, locked(name)
		}
		there.busy = true
		return there, false, nil
	}
	for other := range c.uploading {
		if other.parent == folder && other.name == name {
			return nil, false, locked(name + ".upload.part")
		}
	}
	n = c.newNode(name, false)
	n.parent = folder
	c.uploading[n] = true
	return n, true, nil
}

// receive stores the body and hashes it as asked.
func (c *davCall) receive() (blob string, got int64, sums map[string]hash.Hash, err error) {
	file, err := c.blob()
	if err != nil {
		return "", 0, nil, err
	}
	sums = map[string]hash.Hash{}
	to := []io.Writer{file}
	for name, make := range map[string]func() hash.Hash{"SHA256": sha256.New, "SHA1": sha1.New, "MD5": md5.New} {
		if asked := c.r.Header.Get("X-Hash"); asked == "all" || strings.EqualFold(asked, name) {
			sums[name] = make()
			to = append(to, sums[name])
		}
	}
	// Large bodies are measured with this buffer.
	got, err = io.CopyBuffer(io.MultiWriter(to...), struct{ io.Reader }{c.r.Body}, make([]byte, 256<<10))
	return file.Name(), got, sums, errors.Join(err, file.Close())
}
