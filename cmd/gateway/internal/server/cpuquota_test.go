package server

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHasCPUQuota(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"not Linux", nil, false},
		{"version 2 without one", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n",
		}, false},
		{"version 2, a container", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n",
		}, true},
		{"version 2, a group above", map[string]string{
			"proc/self/cgroup":                                   "0::/system.slice/gateway.service\n",
			"sys/fs/cgroup/system.slice/cpu.max":                 "200000 100000\n",
			"sys/fs/cgroup/system.slice/gateway.service/cpu.max": "max 100000\n",
		}, true},
		{"version 1 without one", map[string]string{
			"proc/self/cgroup": "4:memory:/a\n1:cpu,cpuacct:/a\n0::/\n", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1\n",
		}, false},
		{"version 1", map[string]string{
			"proc/self/cgroup": "4:memory:/a\n1:cpu,cpuacct:/a\n", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "50000\n",
		}, true},
		{"version 1, a container that sees the name of its group on the host", map[string]string{
			"proc/self/cgroup": "1:cpuacct,cpu:/docker/0123\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
		}, true},
		{"a quota of something else", map[string]string{
			"proc/self/cgroup": "1:cpuset:/a\n", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "50000\n",
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for name, text := range test.files {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := hasCPUQuota(root); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
