package nextcloudtest

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A node is a file or a folder. Its fields are guarded by the server's lock;
// the content of a file is on disk, and never changes: a new version is another.
type node struct {
	name     string
	parent   *node
	children map[string]*node // by name; nil for a file
	blob     string           // path of the content; "" for none
	size     int64            // bytes; of a folder, of what is in it
	id       int
	etag     string
	modified time.Time
	checksum string // OC-Checksum, as it was sent
	busy     bool   // an upload replaces the content at this moment
}

func (n *node) folder() bool { return n.children != nil }

// names returns the names of the children, sorted.
func (n *node) names() []string {
	all := make([]string, 0, len(n.children))
	for name := range n.children {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// within reports whether n is f or lies below it.
func (n *node) within(f *node) bool {
	for ; n != nil; n = n.parent {
		if n == f {
			return true
		}
	}
	return false
}

func (s *Server) newNode(name string, folder bool) *node {
	s.lastID++
	n := &node{name: name, id: s.lastID, modified: s.opts.Now().Truncate(time.Second)}
	if folder {
		n.children = map[string]*node{}
	}
	s.retag(n)
	return n
}

// retag sets a new entity tag. That of a file depends on the time in seconds
// only.
func (s *Server) retag(n *node) {
	if n.folder() {
		s.lastTag++
		n.etag = fmt.Sprintf("%013x", s.lastTag)
		return
	}
	sum := md5.Sum(fmt.Appendf(nil, "%d %d", n.id, s.opts.Now().Unix()))
	n.etag = hex.EncodeToString(sum[:])
}

// attach adds n to the folder, and updates the folders above.
func (s *Server) attach(folder, n *node) {
	n.parent = folder
	folder.children[n.name] = n
	s.touch(folder, n.size)
}

func (s *Server) detach(n *node) {
	delete(n.parent.children, n.name)
	s.touch(n.parent, -n.size)
	n.parent = nil
}

// touch updates the tags of a folder and of those above it.
func (s *Server) touch(folder *node, grown int64) {
	for ; folder != nil; folder = folder.parent {
		folder.size += grown
		folder.modified = s.opts.Now().Truncate(time.Second)
		s.retag(folder)
	}
}

// clone copies n with all that is in it; contents are shared.
func (s *Server) clone(n *node, name string) *node {
	c := s.newNode(name, n.folder())
	c.blob, c.size, c.checksum = n.blob, n.size, n.checksum
	for _, child := range n.children {
		k := s.clone(child, child.name)
		k.parent = c
		c.children[k.name] = k
	}
	return c
}

// replace replaces the content of a file.
func (s *Server) replace(n *node, blob string, size int64, checksum string) {
	grown := size - n.size
	n.blob, n.size, n.checksum, n.modified = blob, size, checksum, s.opts.Now().Truncate(time.Second)
	s.retag(n)
	if n.parent != nil {
		s.touch(n.parent, grown)
	}
}

// home returns the folder of an account. The first login creates it.
func (s *Server) home(a *account) *node {
	if a.files == nil {
		a.files = s.newNode("", true)
		welcome := s.newNode("welcome.txt", false)
		welcome.size = skeleton
		s.attach(a.files, welcome)
	}
	return a.files
}

// usedBy returns how many bytes the account stores or claims to store.
func (s *Server) usedBy(a *account) int64 {
	if a.lastLogin.IsZero() && a.files == nil {
		return a.extra
	}
	return s.home(a).size + a.extra
}

// free returns how many bytes the account may still store, or -1 without a limit.
func (s *Server) free(a *account) int64 {
	limit, limited := s.limit(a)
	if !limited {
		return -1
	}
	return max(limit-s.usedBy(a), 0)
}

// blob returns a new file for content.
func (s *Server) blob() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		dir, err := os.MkdirTemp(s.opts.Dir, "nextcloudtest-")
		if err != nil {
			return nil, err
		}
		s.dir = dir
	}
	s.lastID++
	return os.Create(filepath.Join(s.dir, fmt.Sprint(s.lastID)))
}

// Close removes what users stored.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.dir
	s.dir = ""
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

// open returns the content of a file. A file of the skeleton is blank.
func (n *node) open() (content, error) {
	if n.blob == "" {
		return strings.NewReader(strings.Repeat(" ", int(n.size))), nil
	}
	return os.Open(n.blob)
}

// A content is readable at any offset.
type content interface {
	Read(p []byte) (int, error)
	Seek(offset int64, whence int) (int64, error)
}

// errNoNode is the error of [walk].
var errNoNode = fmt.Errorf("no such node: %w", fs.ErrNotExist)

// walk returns the node at a path of names below root.
func walk(root *node, names []string) (*node, error) {
	at := root
	for _, name := range names {
		next := at.children[name]
		if next == nil {
			return nil, errNoNode
		}
		at = next
	}
	return at, nil
}

// place returns the folder that a path ends in and the node there, if any.
func place(root *node, names []string) (folder, at *node, err error) {
	if len(names) == 0 {
		return nil, root, nil
	}
	folder, err = walk(root, names[:len(names)-1])
	if err != nil || !folder.folder() {
		return nil, nil, errors.Join(errNoNode, err)
	}
	return folder, folder.children[names[len(names)-1]], nil
}
