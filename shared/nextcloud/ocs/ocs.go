package ocs

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"mime"
	"strings"
)

// The codes of ocs.meta.statuscode that decide something. OCS v2 uses the HTTP
// status for most; the three-digit ones below 200 belong to one call each.
const (
	metaOK1          = 100 // OCS v1, should a proxy send us there
	metaOK           = 200
	metaInvalid      = 101 // on enable and disable: no such user
	metaExists       = 102 // on create; on edit: a value that is not acceptable
	metaBadKey       = 103 // on edit: the password policy, or not allowed; on a group: no such user
	metaNoGroup      = 104
	metaWeakPassword = 107
	metaForbidden    = 403
	metaNotFound     = 404
	metaServerError  = 500
	metaUnavailable  = 503
	metaServerError1 = 996
	metaUnauthorized = 997
	metaNoUser       = 998
)

// maxMessage bounds the server's words in an error, in bytes.
const maxMessage = 200

// An envelope is what every OCS answer is wrapped in.
type envelope struct {
	code    int
	message string
	data    json.RawMessage // nil when the answer was XML
}

var (
	errNotOCS   = errors.New("not an OCS document")
	errNeitherX = errors.New("neither JSON nor XML")
)

// decode reads an answer by its content type: wrong credentials are told in XML
// to those who asked for JSON, too.
func decode(contentType string, body []byte) (envelope, error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case kind == "application/json":
		return decodeJSON(body)
	case kind == "text/xml", kind == "application/xml":
		return decodeXML(body)
	}
	return envelope{}, errNeitherX
}

func decodeJSON(body []byte) (envelope, error) {
	var doc struct {
		OCS struct {
			Meta struct {
				Code    *int   `json:"statuscode"`
				Message string `json:"message"`
			} `json:"meta"`
			Data json.RawMessage `json:"data"`
		} `json:"ocs"`
	}
	// The cause is dropped: it can quote the body.
	if json.Unmarshal(body, &doc) != nil || doc.OCS.Meta.Code == nil {
		return envelope{}, errNotOCS
	}
	return envelope{*doc.OCS.Meta.Code, clip(doc.OCS.Meta.Message), doc.OCS.Data}, nil
}

func decodeXML(body []byte) (envelope, error) {
	var doc struct {
		XMLName xml.Name `xml:"ocs"`
		Meta    struct {
			Code    *int   `xml:"statuscode"`
			Message string `xml:"message"`
		} `xml:"meta"`
	}
	if xml.Unmarshal(body, &doc) != nil || doc.Meta.Code == nil {
		return envelope{}, errNotOCS
	}
	return envelope{code: *doc.Meta.Code, message: clip(doc.Meta.Message)}, nil
}

// clip returns the message at a length that fits a log line.
func clip(message string) string {
	message = strings.ToValidUTF8(strings.TrimSpace(message), "")
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}

// A word is a JSON string, or the number that PHP makes of a string of digits:
// the list of users holds the id "12345" as 12345.
type word string

// UnmarshalJSON reads a string or a number; null leaves the word as it is.
func (w *word) UnmarshalJSON(b []byte) error {
	var n json.Number
	if len(b) > 0 && b[0] != '"' {
		err := json.Unmarshal(b, &n)
		if err == nil {
			*w = word(n)
		}
		return err
	}
	return json.Unmarshal(b, (*string)(w))
}
