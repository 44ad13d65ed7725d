package devices

// defaultRules are the rules that every container gets after its own: making any node, the devices
// of the default /dev, pseudo terminals, and tun, which VPN clients in containers have come to rely
// on.
func defaultRules() []Rule {
	const from = "default"
	allow := func(t Type, major, minor int64, a Access) Rule {
		return Rule{Allow: true, Type: t, Major: major, Minor: minor, Access: a, From: from}
	}
	return []Rule{
		allow(Char, Any, Any, Mknod),
		allow(Block, Any, Any, Mknod),
		allow(Char, 1, 3, Full),     // null
		allow(Char, 1, 5, Full),     // zero
		allow(Char, 1, 7, Full),     // full
		allow(Char, 1, 8, Full),     // random
		allow(Char, 1, 9, Full),     // urandom
		allow(Char, 5, 0, Full),     // tty
		allow(Char, 5, 2, Full),     // ptmx
		allow(Char, 136, Any, Full), // pts
		allow(Char, 10, 200, Full),  // tun
	}
}

// WithDefaults appends the default rules to the user's. A default keeps out of the way of a user
// who denies its very device (same type and numbers) in the last rule that matches it; a general
// "deny all" leaves the defaults alone.
func WithDefaults(user []Rule) []Rule {
	defaults := defaultRules()
	all := make([]Rule, 0, len(user)+len(defaults))
	all = append(all, user...)
	for _, d := range defaults {
		for i := len(user) - 1; i >= 0; i-- {
			if !user[i].covers(d) {
				continue
			}
			if !user[i].Allow && user[i].sameDevice(d) {
				d.Access &^= user[i].Access
			}
			break
		}
		if d.Access != 0 {
			all = append(all, d)
		}
	}
	return all
}
