package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// FileSuffix is what follows the name of a secret in the name of the variable that holds
// the path of a file with the secret.
const FileSuffix = "_FILE"

// maxSecretFile bounds a file with a secret. Long lists of keys have a few KiB.
const maxSecretFile = 64 << 10 // bytes

// FileSecrets returns the variables whose values can be in a file, which the variable with
// [FileSuffix] names. The keys in PEM are not among them: package token reads their files.
func FileSecrets() []string {
	return []string{
		"DATABASE_URL", "DATABASE_PASSWORD", "MIGRATE_DATABASE_URL", "REDIS_URL", "QDRANT_URL", "SMTP_URL",
		"JWT_SECRET", "JWT_PREVIOUS_SECRETS", "DATA_SECRET", "DATA_PREVIOUS_SECRETS",
		"NEXTCLOUD_ADMIN_PASSWORD",
	}
}

// ReadSecretFile returns the content of a file with a secret, without one newline at its
// end, which most editors and echo add. It returns an error if nothing is left.
func ReadSecretFile(path string) (secret.String, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecretFile {
		return "", fmt.Errorf("it has more than %d bytes", maxSecretFile)
	}
	value, ended := strings.CutSuffix(string(text), "\n")
	if ended {
		value = strings.TrimSuffix(value, "\r")
	}
	if strings.TrimSpace(value) == "" {
		return "", errors.New("it is empty")
	}
	return secret.String(value), nil
}

// secretFiles are the files that an [Env] has read. All reads of a variable return the
// same value, even if the file is replaced meanwhile.
type secretFiles struct {
	mu    sync.Mutex // for Renew, which can be concurrent
	paths map[string]string
	read  map[string]string
}

// path returns the path of the file that the variable was read from, or "".
func (s *secretFiles) path(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paths[name]
}

// value returns the content of the file for the variable, and reads it the first time.
func (s *secretFiles) value(name, path string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.read[name]; ok {
		return v, nil
	}
	v, err := ReadSecretFile(path)
	if err != nil {
		return "", err
	}
	if s.paths == nil {
		s.paths, s.read = map[string]string{}, map[string]string{}
	}
	s.paths[name], s.read[name] = path, v.Reveal()
	return s.read[name], nil
}

// fromFile returns the value of a secret whose variable has the value v, or whose file
// contains it.
func (e *Env) fromFile(name, v string) string {
	if !slices.Contains(FileSecrets(), name) {
		return v
	}
	variable := name + FileSuffix
	path, _ := e.lookup(variable)
	if path = strings.TrimSpace(path); path == "" {
		return v
	}
	if v != "" {
		e.RefuseSecret(variable, "is set, and "+name+" is, too", "the only one of the two")
		return v
	}
	v, err := e.files.value(name, path)
	if err != nil {
		e.Refuse(variable, path, "a file with the value of "+name+" ("+err.Error()+")")
		e.distrust(name)
	}
	return v
}
