package integration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// probes run inside a container, through the test binary itself, where no
// applet of busybox shows what a test wants to see.
var probes = map[string]func(args []string) error{
	"as-a-caller":   probeAsACaller,
	"call":          probeCall,
	"fill-keys":     probeFillKeys,
	"leave":         probeLeave,
	"keyring":       probeKeyring,
	"keyring-label": probeKeyringLabel,
	"chroot-escape": probeChrootEscape,
	"watch-joins":   probeWatchJoins,
	"notify":        probeNotify,
	"library":       probeLibrary,
	"library-wait":  probeLibraryWait,
	"library-ready": probeLibraryReady,
}

// probeCall makes system calls, given by number, with zeroes for arguments and prints what comes of
// each.
func probeCall(args []string) error {
	for _, a := range args {
		nr, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		if _, _, errno := unix.RawSyscall6(uintptr(nr), 0, 0, 0, 0, 0, 0); errno != 0 {
			fmt.Println(unix.ErrnoName(errno))
		} else {
			fmt.Println("success")
		}
	}
	return nil
}

// probeKeyring describes the session keyring.
func probeKeyring([]string) error {
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, unix.KEY_SPEC_SESSION_KEYRING)
	if err != nil {
		return err
	}
	fmt.Println(text)
	return nil
}

// probeKeyringLabel prints the security label of the session keyring.
func probeKeyringLabel([]string) error {
	b := make([]byte, 512)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_GET_SECURITY, unix.KEY_SPEC_SESSION_KEYRING, b, 0)
	if err != nil {
		return err
	}
	fmt.Println(unix.ByteSliceToString(b[:n]))
	return nil
}

// probeFillKeys makes keys until the user's quota is used up, and keeps them until its standard
// input ends.
func probeFillKeys([]string) error {
	if _, err := unix.KeyctlJoinSessionKeyring("fill-keys"); err != nil {
		return err
	}
	for i := range 1 << 20 {
		_, err := unix.AddKey("user", strconv.Itoa(i), []byte("x"), unix.KEY_SPEC_SESSION_KEYRING)
		if errors.Is(err, unix.EDQUOT) {
			fmt.Println("full")
			_, err = io.Copy(io.Discard, os.Stdin)
			return err
		}
		if err != nil {
			return err
		}
	}
	return errors.New("there is no quota")
}

// probeChrootEscape climbs out of a chroot that it makes itself, the way that
// works behind a mere chroot, and looks for a directory of the host.
func probeChrootEscape(args []string) error {
	if err := unix.Mkdir("/trap", 0o755); err != nil {
		return err
	}
	if err := unix.Chroot("/trap"); err != nil {
		return err
	}
	for range 64 {
		if err := unix.Chdir(".."); err != nil {
			return err
		}
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	if err := unix.Access(args[0], unix.F_OK); err == nil {
		return fmt.Errorf("escaped: %s is here", args[0])
	}
	if err := unix.Access("/bin/busybox", unix.F_OK); err != nil {
		return err
	}
	fmt.Println("still inside")
	return nil
}
