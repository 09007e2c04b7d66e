package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/identity/token"
)

func keysGenerateCommand(vars *variables) *cobra.Command {
	var algorithm, out string
	c := &cobra.Command{
		Use:   "generate",
		Short: "Generate a signing key or a secret",
		Long: `Generate a private key for EdDSA, ES256 or RS256, or a secret for HS256, HS384 or
HS512, and print it. With --out it goes to a file that only its owner can read, and
the public key to the same name with .pub. Existing files are never overwritten.
The key is not in use until a setting names it.`,
		Example: `  gateway keys generate --algorithm EdDSA --out signing.pem
  gateway keys generate --algorithm HS256`,
		Annotations: next(`To begin with a key: set JWT_PRIVATE_KEY_FILE and JWT_ALGORITHM, and restart.
  To replace one: set JWT_NEXT_PUBLIC_KEY_FILE to the .pub file, and run
  "gateway keys rotate", which says what follows.`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, err := vars.env()
			if err != nil {
				return err
			}
			if algorithm != "" {
				env = config.Map(map[string]string{"JWT_ALGORITHM": algorithm})
			}
			name := algorithm
			algorithm = token.LoadAlgorithm(env)
			if err := env.Err(); err != nil && name != "" {
				return usagef("--algorithm: %v", err)
			} else if err != nil {
				return err
			}
			k, err := generateKey(algorithm, out)
			if err != nil {
				return err
			}
			if err := writeResult(c, k, k.write); err != nil {
				return err
			}
			if k.PublicFile != "" {
				hint(c, "set JWT_PRIVATE_KEY_FILE=%s, or to replace another key JWT_NEXT_PUBLIC_KEY_FILE=%s", k.File, k.PublicFile)
			}
			return nil
		},
	}
	c.Flags().StringVar(&algorithm, "algorithm", "", "`ALGORITHM` of the key: EdDSA, ES256, RS256, HS256, HS384 or HS512 (default: JWT_ALGORITHM)")
	c.Flags().StringVar(&out, "out", "", "write the key to this new `FILE` instead of printing it")
	return c
}

// A newKey is the result of keys generate.
type newKey struct {
	Kind       keys.Kind `json:"kind"`
	Algorithm  string    `json:"algorithm"`
	KeyID      string    `json:"kid"`
	Key        string    `json:"key,omitempty"` // only if it is printed
	Public     string    `json:"public_key,omitempty"`
	File       string    `json:"file,omitempty"` // only if it is written to a file
	PublicFile string    `json:"public_file,omitempty"`
}

// generateKey generates a key, and writes it to the new file out unless that is "".
func generateKey(algorithm, out string) (newKey, error) {
	g, err := keys.Generate(algorithm)
	k := newKey{Kind: g.Kind, Algorithm: algorithm, KeyID: g.ID, Public: g.Public, File: out}
	if err != nil {
		return k, err
	}
	if out == "" {
		k.Key = g.Text.Reveal()
		return k, nil
	}
	if err := createFile(out, g.Text.Reveal()+"\n", 0o600); err != nil || k.Public == "" {
		return k, err
	}
	k.PublicFile = out + ".pub"
	if err := createFile(k.PublicFile, k.Public, 0o644); err != nil {
		return k, errors.Join(err, os.Remove(out))
	}
	return k, nil
}

func (k newKey) write(w io.Writer) {
	switch {
	case k.File == "":
		fmt.Fprintln(w, k.Key+k.Public)
	case k.PublicFile == "":
		fmt.Fprintf(w, "%s: the %s %s\n", k.File, k.Kind, k.KeyID)
	default:
		fmt.Fprintf(w, "%s: the %s %s for %s; its public half is %s\n", k.File, k.Kind, k.KeyID, k.Algorithm, k.PublicFile)
	}
}

// createFile writes a new file. It fails if the file exists, and leaves no partial
// file behind.
func createFile(path, text string, mode fs.FileMode) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and was not changed", path)
	}
	if err != nil {
		return err
	}
	_, err = w.WriteString(text)
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
