package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ, which is 100 on every
// architecture that Go supports on Linux (proc_pid_stat(5)).
const tick = 10 * time.Millisecond

// processorTime returns the processor time of a process.
func processorTime(pid int) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	return sumTicks(fields[11:13]) // utime, stime
}

// familyTime returns the processor time of a process and its children, including
// children that have ended, and 0 for the process 0.
func familyTime(pid int) (total time.Duration, err error) {
	if pid == 0 {
		return 0, nil
	}
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	total, err = sumTicks(fields[11:15]) // utime, stime, cutime, cstime
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return 0, err
	}
	for child := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			return 0, err
		}
		if took, err := processorTime(pid); err == nil { // or it has just ended
			total += took
		}
	}
	return total, nil
}

func sumTicks(fields []string) (total time.Duration, err error) {
	for _, field := range fields {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		total += time.Duration(ticks) * tick
	}
	return total, nil
}

// parent returns the process that started the process.
func parent(pid int) (int, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(fields[1])
}

// stat returns the fields of /proc/PID/stat after the name of the program, which may
// contain spaces: the state is the first of them.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')'):]), " ")
	return strings.Fields(rest), nil
}

// residentMB returns the resident memory of a process, in MB.
func residentMB(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kiB float64
	_, err = fmt.Sscan(rest, &kiB)
	return kiB * 1024 / 1e6, err
}
