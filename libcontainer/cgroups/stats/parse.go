package stats

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

func fileError(file string, err error) error { return fmt.Errorf("read %s: %w", file, err) }

// parseNumber takes an empty text for zero.
func parseNumber(text string) (uint64, error) {
	switch text = strings.TrimSpace(text); text {
	case "":
		return 0, nil
	case "max":
		return math.MaxUint64, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

func parseSigned(text string) (int64, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	return strconv.ParseInt(text, 10, 64)
}

// parseTable reads lines of a name and a number.
func parseTable(text string) (map[string]uint64, error) {
	table := make(map[string]uint64, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return table, err
		}
		table[name] = n
	}
	return table, nil
}

// parseList reads numbers with blanks between them.
func parseList(text string) ([]uint64, error) {
	var list []uint64
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// parseRanges reads "0-2,5" as 0, 1, 2, 5.
func parseRanges(text string) ([]uint16, error) {
	var list []uint16
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseUint(first, 10, 15)
		if err != nil {
			return nil, err
		}
		to := from
		if isRange {
			if to, err = strconv.ParseUint(last, 10, 15); err != nil {
				return nil, err
			}
		}
		for ; from <= to; from++ {
			list = append(list, uint16(from))
		}
	}
	return list, nil
}

// parsePSI reads "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and a line "full" like it; nil
// for an empty text.
func parsePSI(text string) (*PSI, error) {
	if text == "" {
		return nil, nil
	}
	p := &PSI{}
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		out := &p.Some
		switch kind {
		case "some":
		case "full":
			out = &p.Full
		default:
			continue
		}
		for field := range strings.FieldsSeq(rest) {
			name, value, _ := strings.Cut(field, "=")
			var err error
			switch name {
			case "avg10":
				out.Avg10, err = strconv.ParseFloat(value, 64)
			case "avg60":
				out.Avg60, err = strconv.ParseFloat(value, 64)
			case "avg300":
				out.Avg300, err = strconv.ParseFloat(value, 64)
			case "total":
				out.Total, err = strconv.ParseUint(value, 10, 64)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func parseDevice(text string) (e BlkIOEntry, err error) {
	major, minor, _ := strings.Cut(text, ":")
	if e.Major, err = strconv.ParseUint(major, 10, 64); err == nil {
		e.Minor, err = strconv.ParseUint(minor, 10, 64)
	}
	return e, err
}

// parseBlkIO reads v1's lines "8:0 Read 4096", and "8:0 4096" without an operation. The sum over
// all devices is left out.
func parseBlkIO(text string) ([]BlkIOEntry, error) {
	var list []BlkIOEntry
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.Contains(fields[0], ":") {
			continue
		}
		e, err := parseDevice(fields[0])
		if err != nil {
			return nil, err
		}
		if len(fields) > 2 {
			e.Op = fields[1]
		}
		if e.Value, err = strconv.ParseUint(fields[len(fields)-1], 10, 64); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// parseIOStat reads v2's lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 …" in v1's
// terms.
func parseIOStat(text string) (bytes, requests []BlkIOEntry, err error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.Contains(fields[0], ":") {
			continue
		}
		device, err := parseDevice(fields[0])
		if err != nil {
			return nil, nil, err
		}
		for _, field := range fields[1:] {
			name, value, _ := strings.Cut(field, "=")
			e, out := device, &bytes
			switch name {
			case "rbytes", "rios":
				e.Op = "Read"
			case "wbytes", "wios":
				e.Op = "Write"
			case "dbytes", "dios":
				e.Op = "Discard"
			default:
				continue // of the cost model
			}
			if strings.HasSuffix(name, "ios") {
				out = &requests
			}
			if e.Value, err = strconv.ParseUint(value, 10, 64); err != nil {
				return nil, nil, err
			}
			*out = append(*out, e)
		}
	}
	return bytes, requests, nil
}

// parseRDMA reads lines "mlx4_0 hca_handle=2 hca_object=max".
func parseRDMA(text string) (list []RDMAEntry, err error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		e := RDMAEntry{Device: fields[0]}
		for _, field := range fields[1:] {
			name, value, _ := strings.Cut(field, "=")
			n := uint64(math.MaxUint32)
			if value != "max" {
				if n, err = strconv.ParseUint(value, 10, 32); err != nil {
					return nil, err
				}
			}
			switch name {
			case "hca_handle":
				e.Handles = uint32(n)
			case "hca_object":
				e.Objects = uint32(n)
			}
		}
		list = append(list, e)
	}
	return list, nil
}
