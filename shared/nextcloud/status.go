package nextcloud

import (
	"encoding/json"
	"errors"
)

// A Status is what a Nextcloud reports at status.php, without credentials.
type Status struct {
	Installed    bool
	Maintenance  bool   // maintenance mode: all other requests fail with 503
	NeedsUpgrade bool   // the files are newer than the database
	Version      string // four numbers, such as 29.0.4.1

	// UntrustedHost reports that the server was called by a host name that is not among
	// its trusted_domains. The response has status 400 and no other field.
	UntrustedHost bool
}

// ParseStatus parses the body of a response from status.php, whatever its HTTP status:
// older servers send 503 in maintenance mode. It returns an error if the body does not
// report whether Nextcloud is installed; other fields of the Status are valid even then.
func ParseStatus(body []byte) (Status, error) {
	const untrusted = 15
	var doc struct {
		Installed    *bool  `json:"installed"`
		Maintenance  bool   `json:"maintenance"`
		NeedsUpgrade bool   `json:"needsDbUpgrade"`
		Version      string `json:"version"`
		Code         int    `json:"code"` // of an error
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return Status{}, err
	}
	s := Status{
		Maintenance: doc.Maintenance, NeedsUpgrade: doc.NeedsUpgrade, Version: doc.Version, UntrustedHost: doc.Code == untrusted,
	}
	if doc.Installed == nil {
		return s, errors.New("status.php does not report whether Nextcloud is installed")
	}
	s.Installed = *doc.Installed
	return s, nil
}
