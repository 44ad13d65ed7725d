package console

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal can't be waited for to have been read empty, so it is looked at, less and less often.
const (
	firstLook = 2 * time.Millisecond
	lastLook  = 250 * time.Millisecond
)

// copyIn types what comes from our input, and then its end. It is left behind with the session's
// end, waiting for input.
func (s *Session) copyIn() {
	_, _ = io.Copy(s.master, s.in) // whatever ended it, no more is going to come
	_ = s.typeEnd()                // fails when the terminal is gone, and nobody waits for the end
}

// typeEnd gives the container's terminal its end of file. That is a key (VEOF in termios(3)), which
// ends one read and no more, and in an unfinished line it only hands that over. Our input has ended
// for good, so the key is typed again as soon as all that was typed before has been read.
//
// A program in raw mode gets it as an ordinary byte. Line editors take that for the end, others
// have a use of their own for it: it is typed once, until the terminal has left raw mode.
func (s *Session) typeEnd() error {
	inRaw := false
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		time.Sleep(pause)
		select {
		case <-s.copied: // hung up: a look would open it again
			return nil
		default:
		}
		canonical, key, unread, err := s.look()
		if err != nil {
			return err
		}
		inRaw = inRaw && !canonical
		if unread || inRaw || key == disabled {
			continue
		}
		if _, err := s.master.Write([]byte{key}); err != nil {
			return err
		}
		inRaw, pause = !canonical, firstLook
	}
}

// look asks the container's side of the terminal whether it hands over lines, which key ends the
// input, and whether something typed has not been read. It does not keep that side open, or the
// master would never learn that every process has left it.
func (s *Session) look() (canonical bool, key uint8, unread bool, err error) {
	slave, err := s.openSlave()
	if err != nil {
		return false, 0, false, err
	}
	defer slave.Close()
	fd := int(slave.Fd())
	modes, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return false, 0, false, err
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return modes.Lflag&unix.ICANON != 0, modes.Cc[unix.VEOF], n != 0 || err != nil, nil
}

// disabled is a key that the terminal does not have (_POSIX_VDISABLE).
const disabled = 0

// openSlave opens the container's end of its terminal, without its name and without making it the
// controlling one.
func (s *Session) openSlave() (*os.File, error) {
	var slave *os.File
	err := s.control(func(master int) error {
		fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if errno != 0 {
			return fmt.Errorf("open the terminal's other end: %w", errno)
		}
		slave = os.NewFile(fd, s.master.Name())
		return nil
	})
	return slave, err
}
