package faas

import "encoding/json"

// A kind says what sent an event.
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

// An event holds the fields that this package reads, for any sender. The fields that
// determine its kind are written by AWS, or by a principal that may invoke the function;
// clients control only strings further down.
type event struct {
	Records []struct {
		EventSource string `json:"eventSource"`
	} `json:"Records"`
	DetailType string `json:"detail-type"`
	Action     string `json:"action"`

	RequestType string `json:"RequestType"`
	ResponseURL string `json:"ResponseURL"`

	MethodArn string `json:"methodArn"` // sent to an authorizer
	RouteArn  string `json:"routeArn"`  // likewise

	// A request over HTTP.
	RequestContext  requestContext      `json:"requestContext"`
	Headers         map[string]string   `json:"headers"`
	MultiHeaders    map[string][]string `json:"multiValueHeaders"` // not in payload 2.0
	Body            string              `json:"body"`
	IsBase64Encoded bool                `json:"isBase64Encoded"`

	// Payload 2.0.
	RouteKey string   `json:"routeKey"`
	RawPath  string   `json:"rawPath"`
	RawQuery string   `json:"rawQueryString"`
	Cookies  []string `json:"cookies"`

	// Payload 1.0, and a load balancer's.
	HTTPMethod string              `json:"httpMethod"`
	Path       string              `json:"path"`
	Query      map[string]string   `json:"queryStringParameters"`
	MultiQuery map[string][]string `json:"multiValueQueryStringParameters"`
}

// A requestContext is what a front adds to a request.
type requestContext struct {
	ELB  *struct{} `json:"elb"`
	HTTP *struct {
		Method   string `json:"method"`
		SourceIP string `json:"sourceIp"`
	} `json:"http"`
	Identity struct {
		SourceIP string `json:"sourceIp"`
	} `json:"identity"`
	DomainName string `json:"domainName"`
	Stage      string `json:"stage"`
}

// read decodes an event, once, because decoding is most of the cost of a request here. An
// event that cannot be decoded has an unknown kind.
func read(payload []byte) (*event, kind) {
	e := new(event)
	if err := json.Unmarshal(payload, e); err != nil {
		return e, unknown
	}
	return e, e.kind()
}

// kind returns the kind of the event. A request to an authorizer looks like an HTTP
// request and is not one.
func (e *event) kind() kind {
	via := e.RequestContext
	switch {
	case e.MethodArn != "" || e.RouteArn != "":
		return unknown
	case len(e.Records) > 0 && e.Records[0].EventSource == "aws:sqs":
		return queue
	case e.DetailType == "Scheduled Event":
		return schedule
	case via.ELB != nil:
		return loadBalancer
	case via.HTTP != nil && isFunctionURL(via.DomainName):
		return functionURL
	case via.HTTP != nil:
		return httpAPI
	case e.HTTPMethod != "":
		return restAPI
	case e.RequestType != "" && e.ResponseURL != "":
		return customResource
	case e.Action != "":
		return command
	}
	return unknown
}
