package faas

import "encoding/json"

// A kind is what sent an event.
type kind int

const (
	unknown kind = iota
	httpAPI
	functionURL
	restAPI
	loadBalancer
	schedule
	queue
	customResource
	command
)

// String names the kind for errors.
func (k kind) String() string {
	return [...]string{
		"unknown", "HTTP API", "Function URL", "REST API", "load balancer", "schedule", "queue",
		"custom resource", "command",
	}[k]
}

// A shape is the part of an event that tells its kind. All of it is written by
// AWS, or by somebody who may invoke the function; clients fill only strings
// further down.
type shape struct {
	Records []struct {
		EventSource string `json:"eventSource"`
	} `json:"Records"`
	DetailType string `json:"detail-type"`
	HTTPMethod string `json:"httpMethod"`
	Action     string `json:"action"`

	RequestType string `json:"RequestType"`
	ResponseURL string `json:"ResponseURL"`

	MethodArn      string `json:"methodArn"` // asks an authorizer
	RouteArn       string `json:"routeArn"`  // likewise
	RequestContext struct {
		ELB        *struct{} `json:"elb"`
		HTTP       *struct{} `json:"http"`
		DomainName string    `json:"domainName"`
	} `json:"requestContext"`
}

// kindOf tells what sent the event. A question to an authorizer looks like a
// request and is none.
func kindOf(payload []byte) kind {
	var s shape
	if err := json.Unmarshal(payload, &s); err != nil || s.MethodArn != "" || s.RouteArn != "" {
		return unknown
	}
	switch {
	case len(s.Records) > 0 && s.Records[0].EventSource == "aws:sqs":
		return queue
	case s.DetailType == "Scheduled Event":
		return schedule
	case s.RequestContext.ELB != nil:
		return loadBalancer
	case s.RequestContext.HTTP != nil && isFunctionURL(s.RequestContext.DomainName):
		return functionURL
	case s.RequestContext.HTTP != nil:
		return httpAPI
	case s.HTTPMethod != "":
		return restAPI
	case s.RequestType != "" && s.ResponseURL != "":
		return customResource
	case s.Action != "":
		return command
	}
	return unknown
}
