package ocs

import (
	"bytes"
	"encoding/json"

	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// storage is the storage of a user. It is an empty list in the response if the server
// failed to measure it.
type storage struct {
	Quota quota.Quota `json:"quota"`
	Used  float64     `json:"used"`
	Free  *float64    `json:"free"`

	unmeasured bool
}

// UnmarshalJSON reads an empty list as unmeasured.
func (s *storage) UnmarshalJSON(b []byte) error {
	type plain storage
	p := plain{Quota: quota.Unknown}
	if string(bytes.TrimSpace(b)) == "[]" {
		*s = storage(p)
		s.unmeasured = true
		return nil
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = storage(p)
	return nil
}
