// Command hello is the least that Lambda can run, to compare starts with.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

type hello struct{}

func (hello) Invoke(context.Context, []byte) ([]byte, error) { return []byte(`"hello"`), nil }

func main() { lambda.Start(hello{}) }
