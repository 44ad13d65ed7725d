package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"
)

// control sends commands of the QEMU Machine Protocol, each perhaps followed by its arguments in
// JSON. The word "wait-migration" waits for a migration to end.
func control(socket string, words []string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	q := &qmp{json.NewEncoder(c), json.NewDecoder(c)}
	var greeting any
	if err := q.in.Decode(&greeting); err != nil {
		return err
	}
	if _, err := q.call("qmp_capabilities", nil); err != nil {
		return err
	}
	for len(words) > 0 {
		name := words[0]
		words = words[1:]
		if name == "wait-migration" {
			err = q.waitMigration()
		} else {
			var args json.RawMessage
			if len(words) > 0 && strings.HasPrefix(words[0], "{") {
				args, words = json.RawMessage(words[0]), words[1:]
			}
			_, err = q.call(name, args)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type qmp struct {
	out *json.Encoder
	in  *json.Decoder
}

func (q *qmp) call(name string, args json.RawMessage) (json.RawMessage, error) {
	err := q.out.Encode(struct {
		Execute   string          `json:"execute"`
		Arguments json.RawMessage `json:"arguments,omitempty"`
	}{name, args})
	for err == nil {
		var answer struct{ Return, Error json.RawMessage }
		if err = q.in.Decode(&answer); err != nil {
			break
		}
		switch {
		case answer.Error != nil:
			return nil, fmt.Errorf("%s: %s", name, answer.Error)
		case answer.Return != nil:
			return answer.Return, nil
		} // else an event
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

func (q *qmp) waitMigration() error {
	for {
		text, err := q.call("query-migrate", nil)
		if err != nil {
			return err
		}
		var m struct{ Status string }
		switch err := json.Unmarshal(text, &m); {
		case err != nil:
			return err
		case m.Status == "completed":
			return nil
		case m.Status == "failed", m.Status == "cancelled":
			return fmt.Errorf("migration: %s", text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
