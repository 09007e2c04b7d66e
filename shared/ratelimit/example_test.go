package ratelimit_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/voiceassist/gateway/shared/ratelimit"
)

// A limiter without a store counts in memory.
func ExampleLimiter_Client() {
	settings := ratelimit.Settings{PerMinute: map[ratelimit.Policy]int{ratelimit.Login: 2}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	limiter := ratelimit.New(settings, nil, ratelimit.Stores{}, func() time.Time { return now })
	client := netip.MustParseAddr("192.0.2.7")
	for range 3 {
		result := limiter.Client(context.Background(), ratelimit.Login, client)
		fmt.Println(result.Decision.Allowed, result.Decision.Remaining)
	}
	// Output:
	// true 1
	// true 0
	// false 0
}
