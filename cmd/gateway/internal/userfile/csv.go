package userfile

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// csvRows returns the records of a file with a line of column names (RFC 4180).
func csvRows(in *reader, format Format, now time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		rows := csv.NewReader(in)
		rows.LazyQuotes = false
		header, err := rows.Read()
		if err != nil {
			yield(Record{}, fmt.Errorf("read the names of the columns: %w", noUnexpectedEnd(err)))
			return
		}
		for i, name := range header {
			header[i] = columnName(name)
		}
		for {
			in.next()
			row, err := rows.Read()
			switch mistake, isMistake := errors.AsType[*csv.ParseError](err); {
			case errors.Is(err, io.EOF):
				return
			case isMistake && !errors.Is(err, ErrTooLong):
				if !yield(Record{Name: line(mistake.StartLine), Err: mistake.Err}, nil) {
					return
				}
				continue
			case err != nil:
				yield(Record{}, err)
				return
			}
			start, _ := rows.FieldPos(0)
			r := rowRecord(header, row, format, now)
			r.Name = line(start)
			if !yield(r, nil) {
				return
			}
		}
	}
}

func line(n int) string { return fmt.Sprintf("line %d", n) }

// noUnexpectedEnd returns the error for a file that ends before the names of columns.
func noUnexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	}
	return err
}

// rowRecord returns the record of a row.
func rowRecord(header, row []string, format Format, now time.Time) Record {
	if err := checkText(row...); err != nil {
		return Record{Err: err}
	}
	f := fields{}
	for i, name := range header {
		f[name] = row[i]
	}
	if meta := f["raw_user_meta_data"]; meta != "" && f.first("full_name", "name") == "" {
		var names struct {
			FullName string `json:"full_name"`
			Name     string `json:"name"`
		}
		if json.Unmarshal([]byte(meta), &names) == nil { // applications may store anything there
			f["full_name"], f["name"] = names.FullName, names.Name
		}
	}
	return f.record(format, now)
}
