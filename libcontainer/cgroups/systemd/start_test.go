package systemd

import (
	"testing"

	godbus "github.com/godbus/dbus/v5"
)

// Nobody reads from systemd while a container is being made, also where its slice was there
// already.
func TestStartClosesTheConnection(t *testing.T) {
	for name, answers := range map[string][]any{
		"slice that is there": {refusal("UnitExists"), []any{}},
		"refused":             {refusal("Denied")},
		"refused twice":       {refusal("UnitExists"), []any{}, refusal("UnitExists")},
	} {
		t.Run(name, func(t *testing.T) {
			newFakeSystemd(t, func(string, []any) any {
				next := answers[0]
				answers = answers[1:]
				return next
			})
			m := &Manager{user: true}
			defer m.Close()
			u := Unit{Name: "x.slice", Slice: "-.slice"}
			if name != "slice that is there" {
				u.Name = "x.scope"
			}
			err := m.Start(u, 1, []Property{{Name: "TasksMax", Value: godbus.MakeVariant(uint64(7))}})
			if (err == nil) != u.IsSlice() {
				t.Errorf("error %v", err)
			}
			if m.conn != nil {
				t.Error("the connection is still there")
			}
		})
	}
}

// A unit whose making systemd has confirmed to a connection that is gone is taken, if the process
// is in it, and only then.
func TestStartAgain(t *testing.T) {
	for name, holder := range map[string]string{"ours": "x_2escope", "another's": "y_2escope"} {
		t.Run(name, func(t *testing.T) {
			starts := 0
			newFakeSystemd(t, func(member string, _ []any) any {
				switch member {
				case "Get":
					return []any{godbus.MakeVariant("/")}
				case "StartTransientUnit":
					if starts++; starts == 1 {
						return nil
					}
					return refusal("UnitExists")
				case "GetUnitByPID":
					return []any{godbus.ObjectPath("/org/freedesktop/systemd1/unit/" + holder)}
				}
				return []any{}
			})
			m := &Manager{user: true}
			defer m.Close()
			if _, err := m.Root(); err != nil {
				t.Fatal(err)
			}
			err := m.Start(Unit{Name: "x.scope", Slice: "-.slice"}, 1, nil)
			if (err == nil) != (name == "ours") {
				t.Errorf("error %v", err)
			}
		})
	}
}
