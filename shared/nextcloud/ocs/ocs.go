package ocs

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"mime"
	"strings"
)

// Values of ocs.meta.statuscode. OCS v2 uses the HTTP status for most of them. The
// meaning of those from 101 to 199 depends on the call.
const (
	metaOK1          = 100 // OCS v1, to which a proxy may rewrite
	metaOK           = 200
	metaInvalid      = 101 // of enable and disable: no such user
	metaExists       = 102 // of create; of edit: an invalid value
	metaBadKey       = 103 // of edit: the password policy, or not allowed; of a group: no such user
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

// maxMessage limits the server's message in an error, in bytes.
const maxMessage = 200

// An envelope wraps every OCS response.
type envelope struct {
	code    int
	message string
	data    json.RawMessage // nil if the response was XML
}

var (
	errNotOCS      = errors.New("not an OCS document")
	errContentType = errors.New("neither JSON nor XML")
)

// decode reads a response by its content type: for wrong credentials, the server sends
// XML even if JSON was requested.
func decode(contentType string, body []byte) (envelope, error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case kind == "application/json":
		return decodeJSON(body)
	case kind == "text/xml", kind == "application/xml":
		return decodeXML(body)
	}
	return envelope{}, errContentType
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
	// The cause is dropped, since it can quote the body.
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

// clip shortens the message for a log line.
func clip(message string) string {
	message = strings.ToValidUTF8(strings.TrimSpace(message), "")
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}

// A phpString is a JSON string, or a number: PHP converts strings of digits to numbers, so
// that the list of users has the ID "12345" as 12345.
type phpString string

// UnmarshalJSON reads a string or a number; null leaves the value as it is.
func (s *phpString) UnmarshalJSON(b []byte) error {
	var n json.Number
	if len(b) > 0 && b[0] != '"' {
		err := json.Unmarshal(b, &n)
		if err == nil {
			*s = phpString(n)
		}
		return err
	}
	return json.Unmarshal(b, (*string)(s))
}
