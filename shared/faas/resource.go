package faas

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// A Resource creates or updates what a custom resource of CloudFormation stands for,
// according to its properties, and returns attributes for Fn::GetAtt. It is called when
// the resource is created and when its properties change, at least once, so it must be
// idempotent. It is not called when the resource is deleted: what it created outlives the
// stack, and a stack that failed to create can be deleted.
type Resource func(ctx context.Context, properties map[string]any) (attributes map[string]any, err error)

// A Command does what an operator asks of the function with aws lambda invoke --payload
// '{"action":"…"}', and returns a result to show as JSON.
type Command func(ctx context.Context, action string) (answer any, err error)

const (
	answerMargin   = 12 * time.Second // reserved to report the outcome of a change
	answerAttempts = 3
	answerTimeout  = 3 * time.Second // of one attempt
	answerPause    = time.Second     // before the next attempt
	grace          = time.Second     // for a change to notice that its context ended
	maxReason      = 512             // bytes of 4096 for the response; JSON may escape one as six
)

// handleResource answers CloudFormation's request. It always sends a response (AWS CloudFormation
// User Guide, "Custom resource request types"), because a stack waits an hour for a
// missing one. Only if the response cannot be sent does the function fail; Lambda then
// invokes it again, and the change is repeated.
func (f Function) handleResource(ctx context.Context, payload []byte) ([]byte, error) {
	e, err := decode[cfn.Event](payload)
	if err != nil {
		return nil, failure("UnknownEvent", err.Error())
	}
	to, err := responseURL(e.ResponseURL)
	if err != nil { // without a place to respond to, the request is not CloudFormation's
		return nil, failure("UnknownEvent", err.Error())
	}
	answer := cfn.NewResponse(&e)
	answer.Status = cfn.StatusSuccess
	answer.PhysicalResourceID = cmp.Or(e.PhysicalResourceID, e.LogicalResourceID) // another means replacement
	switch e.RequestType {
	case cfn.RequestCreate, cfn.RequestUpdate:
		answer.Data, err = f.perform(ctx, e.ResourceProperties)
	case cfn.RequestDelete:
	default:
		err = errors.New("an unknown type of request")
	}
	level := slog.LevelInfo
	if err != nil {
		answer.Status, answer.Reason, answer.Data = cfn.StatusFailed, reason(err), nil
		level = slog.LevelError
	}
	f.log().LogAttrs(ctx, level, "custom resource", slog.String("type", string(e.RequestType)),
		slog.String("resource", e.LogicalResourceID), slog.String("status", string(answer.Status)), slog.String("cause", answer.Reason))
	if err := send(ctx, to, answer); err != nil {
		return nil, failure("AnswerNotSent", err.Error())
	}
	return []byte("null"), nil
}

// perform calls f.Resource. It returns before ctx ends, even if f.Resource does not.
func (f Function) perform(ctx context.Context, properties map[string]any) (map[string]any, error) {
	deadline, ok := ctx.Deadline()
	if ok {
		deadline = deadline.Add(-min(answerMargin, time.Until(deadline)/2))
	} else {
		deadline = time.Now().Add(time.Hour)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	type outcome struct {
		attributes map[string]any
		err        error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				f.panicked(ctx, p)
				o.err = errors.New("the function panicked; see its log")
			}
			done <- o
		}()
		o.attributes, o.err = f.Resource(ctx, properties)
	}()
	select {
	case o := <-done:
		return o.attributes, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-done:
		return o.attributes, o.err
	case <-time.After(grace):
		return nil, errors.New("it was not done in the time that the function has")
	}
}

// command answers an operator's request.
func (f Function) command(ctx context.Context, payload []byte) ([]byte, error) {
	e, err := decode[struct{ Action string }](payload)
	if err != nil {
		return nil, failure("UnknownEvent", err.Error())
	}
	v, err := f.Command(ctx, e.Action)
	if err != nil {
		f.log().LogAttrs(ctx, slog.LevelError, "command failed", slog.String("action", reason(errors.New(e.Action))),
			slog.String("cause", err.Error()))
		return nil, failure("CommandFailed", reason(err))
	}
	return encode(v)
}

// responseURL returns the presigned URL for the response. It accepts only hosts of AWS.
func responseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" ||
		!strings.HasSuffix(u.Hostname(), ".amazonaws.com") && !strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn") {
		return "", errors.New("the ResponseURL is none of CloudFormation's") // not quoted: it is signed
	}
	return s, nil
}

// reason returns err as one line of a length that CloudFormation accepts.
func reason(err error) string {
	line := strings.Join(strings.Fields(oneLine(err.Error())), " ")
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "") + "…"
	}
	return line
}

// send sends the response to CloudFormation and retries.
func send(ctx context.Context, to string, answer *cfn.Response) error {
	body, err := encode(answer)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       answerTimeout,
	}
	defer client.CloseIdleConnections()
	for attempt := 1; ; attempt++ {
		final, err := put(ctx, client, to, body)
		if err == nil || final || attempt == answerAttempts {
			return err
		}
		select {
		case <-time.After(answerPause):
		case <-ctx.Done():
			return err
		}
	}
}

// put sends the response once. If final is true, a retry would fail in the same way.
func put(ctx context.Context, client *http.Client, to string, body []byte) (final bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(body))
	if err != nil {
		return true, errors.New("the ResponseURL cannot be used")
	}
	resp, err := client.Do(r) // no Content-Type: it would have to be part of the signature
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // drop the URL, which is signed
		}
		return false, fmt.Errorf("send the answer: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode < 500, fmt.Errorf("send the answer: status %d", resp.StatusCode)
	}
	return false, nil
}
