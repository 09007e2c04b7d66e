package document_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	const limit = 20
	for _, test := range []struct{ name, in, want, code string }{
		{"space goes, the rest stays", ` { "b" : [1, 2.50, 1e3] } `, `{"b":[1,2.50,1e3]}`, ""},
		{"the empty object", "{}", "{}", ""},
		{"just as large as allowed", `{"a":"` + strings.Repeat("x", limit-8) + `"}`, `{"a":"` + strings.Repeat("x", limit-8) + `"}`, ""},
		{"a byte larger", `{"a":"` + strings.Repeat("x", limit-7) + `"}`, "", "too_large"},
		{"large for its spaces only", `{` + strings.Repeat(" ", 100) + `}`, "{}", ""},
		{"an array", "[]", "", "not_an_object"},
		{"a string", `"{}"`, "", "not_an_object"},
		{"null", "null", "", "not_an_object"},
		{"nothing", "", "{}", ""},
		{"half of one", `{"a":`, "", "not_an_object"},
	} {
		got, err := document.ParseObject(json.RawMessage(test.in), limit)
		code := ""
		if err != nil {
			code = fault.Of(err).Code
		}
		if string(got) != test.want || code != test.code {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}

func TestObject_MarshalsToItsText(t *testing.T) {
	t.Parallel()
	var o document.Object
	if o.String() != "{}" {
		t.Errorf("the zero value is %s", o)
	}
	if err := json.Unmarshal([]byte(`{ "a": 1.0 }`), &o); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(o); string(got) != `{"a":1.0}` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`[]`), &o); err == nil {
		t.Error("an array is an object")
	}
}
