package integration

// probes run inside a container, through the test binary itself, where no
// applet of busybox shows what a test wants to see.
var probes = map[string]func(args []string) error{}
