package files_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/functions/files"
)

// A tap returns its portions, each after a pause, and then err.
type tap struct {
	portions []portion
	err      error
}

type portion struct {
	after time.Duration
	bytes int
}

func (s *tap) Read(b []byte) (int, error) {
	if len(s.portions) == 0 {
		return 0, s.err
	}
	next := &s.portions[0]
	<-time.After(next.after)
	next.after = 0
	n := min(next.bytes, len(b))
	if next.bytes -= n; next.bytes == 0 {
		s.portions = s.portions[1:]
	}
	return n, nil
}

// A drain records when bytes arrive, and accepts at most room bytes.
type drain struct {
	began time.Time
	room  int
	got   []portion
}

func (d *drain) Write(p []byte) (int, error) {
	d.got = append(d.got, portion{time.Since(d.began), len(p)})
	if d.room -= len(p); d.room < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestPour_WritesLargePiecesWithoutLongDelay(t *testing.T) {
	t.Parallel()
	const k, ms = 1 << 10, time.Millisecond
	broken := errors.New("reset by peer")
	for name, tt := range map[string]struct {
		from  []portion
		ends  error // of the source
		room  int   // of the client, bytes; 0 is enough
		want  []portion
		wrote int64
		err   error
	}{
		"nothing":           {ends: io.EOF},
		"small portions":    {from: slices.Repeat([]portion{{0, 8 * k}}, 40), ends: io.EOF, want: []portion{{0, 128 * k}, {0, 128 * k}, {0, 64 * k}}, wrote: 320 * k},
		"one large portion": {from: []portion{{0, 300 * k}}, ends: io.EOF, want: []portion{{0, 128 * k}, {0, 128 * k}, {0, 44 * k}}, wrote: 300 * k},
		"exactly a piece":   {from: []portion{{0, 128 * k}}, ends: io.EOF, want: []portion{{0, 128 * k}}, wrote: 128 * k},
		"slow single bytes": {from: []portion{{0, 1}, {20 * ms, 2}, {20 * ms, 3}}, ends: io.EOF, want: []portion{{5 * ms, 1}, {25 * ms, 2}, {40 * ms, 3}}, wrote: 6},
		"within one delay":  {from: []portion{{0, 1}, {2 * ms, 2}, {2 * ms, 3}, {2 * ms, 4}}, ends: io.EOF, want: []portion{{5 * ms, 6}, {6 * ms, 4}}, wrote: 10},
		"nearly a piece":    {from: []portion{{0, 100 * k}, {20 * ms, 100 * k}}, ends: io.EOF, want: []portion{{5 * ms, 100 * k}, {20 * ms, 28 * k}, {20 * ms, 72 * k}}, wrote: 200 * k},
		"a broken source":   {from: []portion{{0, 10 * k}}, ends: broken, want: []portion{{0, 10 * k}}, wrote: 10 * k, err: broken},
		"a client that disconnects": {from: slices.Repeat([]portion{{0, 8 * k}}, 100), ends: io.EOF, room: 200 * k, want: []portion{{0, 128 * k}, {0, 128 * k}},
			wrote: 128 * k, err: io.ErrClosedPipe},
		"a client that disconnects during a pause": {from: []portion{{0, 10}, {20 * ms, 10}, {20 * ms, 10}}, ends: io.EOF, room: 5, want: []portion{{5 * ms, 10}}, err: io.ErrClosedPipe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				to := &drain{began: time.Now(), room: tt.room}
				if to.room == 0 {
					to.room = 1 << 30
				}
				n, err := files.Pour(to, &tap{portions: tt.from, err: tt.ends})
				if n != tt.wrote || !errors.Is(err, tt.err) {
					t.Errorf("pour = %d, %v; want %d, %v", n, err, tt.wrote, tt.err)
				}
				if !slices.Equal(to.got, tt.want) {
					t.Errorf("written %v, want %v", to.got, tt.want)
				}
			})
		})
	}
}

func TestPour_CopiesExactly(t *testing.T) {
	t.Parallel()
	content := make([]byte, 1<<20+7)
	for i := range content {
		content[i] = byte(i * 31 >> 3)
	}
	for name, from := range map[string]io.Reader{
		"all at once":            bytes.NewReader(content),
		"half reads":             iotest.HalfReader(bytes.NewReader(content)),
		"EOF with the last data": iotest.DataErrReader(bytes.NewReader(content)),
		"single bytes":           iotest.OneByteReader(bytes.NewReader(content)),
	} {
		var to bytes.Buffer
		n, err := files.Pour(&to, from)
		if n != int64(len(content)) || err != nil || !bytes.Equal(to.Bytes(), content) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
