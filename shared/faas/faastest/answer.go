package faastest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// An answer is the response that a function returned to its front.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// responseJSON combines all forms of responses; each front reads its own fields.
type responseJSON struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// parse parses a response as strictly as the front does.
func (f Front) parse(payload []byte) (answer, error) {
	var w responseJSON
	if err := json.Unmarshal(payload, &w); err != nil {
		return answer{}, fmt.Errorf("decode the answer: %w", err)
	}
	if w.StatusCode < 100 || w.StatusCode > 999 {
		return answer{}, errors.New("the answer has no status")
	}
	a := answer{status: w.StatusCode, header: http.Header{}, body: []byte(w.Body)}
	if w.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(w.Body)
		if err != nil {
			return answer{}, fmt.Errorf("decode the body: %w", err)
		}
		a.body = body
	}
	if f == FrontV2 || f == FrontURL || f == FrontALB {
		a.addSingle(w.Headers)
	}
	if f == FrontV2 || f == FrontURL {
		for _, cookie := range w.Cookies {
			a.header.Add("Set-Cookie", cookie)
		}
	}
	if f == FrontV1 || f == FrontALBMulti {
		for name, lines := range w.MultiValueHeaders {
			for _, line := range lines {
				a.header.Add(name, line)
			}
		}
	}
	return a, nil
}

// addSingle adds headers that have one value for each spelling of a name.
func (a answer) addSingle(headers map[string]string) {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a.header.Add(name, headers[name])
	}
}
