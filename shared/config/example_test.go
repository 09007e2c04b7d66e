package config_test

import (
	"fmt"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// settings bound a queue.
type settings struct {
	Length int
	Store  string
}

// Load loads QUEUE_LENGTH and QUEUE_STORE.
func (s *settings) Load(r setting.Reader) {
	s.Length = r.Int("QUEUE_LENGTH", 16, 1, 1000)
	s.Store = r.OneOf("QUEUE_STORE", "memory", "redis")
}

// A program passes os.LookupEnv to New. All mistakes are reported together.
func ExampleEnv_Load() {
	var s settings
	if err := config.Map(map[string]string{"QUEUE_LENGTH": "32"}).Load(&s); err == nil {
		fmt.Println(s.Length, s.Store)
	}
	err := config.Map(map[string]string{"QUEUE_LENGTH": "many", "QUEUE_STORE": "disk"}).Load(&s)
	fmt.Println(err)
	// Output:
	// 32 memory
	// QUEUE_LENGTH is "many"; it must be a whole number from 1 to 1000
	// QUEUE_STORE is "disk"; it must be one of memory, redis
}
