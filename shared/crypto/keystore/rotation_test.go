package keystore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
)

func TestKeys_States(t *testing.T) {
	t.Parallel()
	published := keystore.Plan{Publish: time.Hour, Retain: 20 * time.Minute}
	direct := keystore.Plan{Reload: 30 * time.Second, Retain: 20 * time.Minute}
	unscheduled := keystore.Key{Text: "new", Published: at(time.Minute)}
	const (
		next, signs, previous = keystore.StateNext, keystore.StateSigns, keystore.StatePrevious
		hour, minute          = time.Hour, time.Minute
	)
	for _, test := range []struct {
		name string
		plan keystore.Plan
		keys keystore.Keys
		now  time.Duration
		want []keystore.Status
	}{
		{"no keys", published, nil, 0, nil},
		{"one key", published, keystore.Keys{key("a", 0, 0)}, hour, []keystore.Status{{State: signs, Since: at(0)}}},
		{"one key, after the clock was set back", published, keystore.Keys{key("a", 0, 0)}, -hour, []keystore.Status{{State: signs, Since: at(0)}}},
		{"a published key that may not sign yet", published, keystore.Keys{key("a", 0, 0), unscheduled}, hour, []keystore.Status{
			{State: signs, Since: at(0)},
			{State: next, Since: at(minute), Until: at(hour + minute)},
		}},
		{"a published key that may sign", published, keystore.Keys{key("a", 0, 0), unscheduled}, hour + minute, []keystore.Status{
			{State: signs, Since: at(0)},
			{State: next, Since: at(minute), Until: at(hour + minute), Ready: true},
		}},
		{"a secret that will sign without another step", direct, keystore.Keys{key("a", 0, 0), key("b", hour, hour+minute)}, hour, []keystore.Status{
			{State: signs, Since: at(0)},
			{State: next, Since: at(hour), Until: at(hour + minute)},
		}},
		{"two keys, of which the second signs", direct, keystore.Keys{key("a", 0, 0), key("b", hour, hour+minute)}, hour + minute, []keystore.Status{
			{State: previous, Since: at(hour + minute), Until: at(hour + 21*minute)},
			{State: signs, Since: at(hour + minute)},
		}},
		{"a previous key is not removed while another one is next", published, keystore.Keys{key("a", 0, 0), key("b", 0, minute), unscheduled}, 2 * minute, []keystore.Status{
			{State: previous, Since: at(minute)},
			{State: signs, Since: at(minute)},
			{State: next, Since: at(minute), Until: at(hour + minute)},
		}},
	} {
		if diff := cmp.Diff(test.want, test.keys.States(test.plan, at(test.now))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
