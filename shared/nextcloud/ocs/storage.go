package ocs

import (
	"bytes"
	"encoding/json"

	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// storage is what the server tells of a user's storage. PHP makes an empty list
// of it where the server could not measure it.
type storage struct {
	Quota quota.Quota `json:"quota"`
	Used  float64     `json:"used"`
	Free  *float64    `json:"free"`

	unmeasured bool
}

// UnmarshalJSON takes the empty list for no answer.
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
