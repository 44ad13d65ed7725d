package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// probes run inside a container, through the test binary itself, where no
// applet of busybox does what a test wants.
var probes = map[string]func(args []string) error{
	"self":      probeSelf,
	"tcp":       probeTCP,
	"open":      probeOpen,
	"unix":      probeUnix,
	"unix-once": probeUnixOnce,
	"old-criu":  probeOldCRIU,

	"refusing-criu": probeRefusingCRIU,
}

// answers calls f with each line of standard input and prints what it gives.
func answers(f func(line string) string) error {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(strings.ReplaceAll(f(in.Text()), "\n", "; "))
	}
	return in.Err()
}

// probeSelf says what its first thread is like.
func probeSelf([]string) error {
	runtime.LockOSThread()
	return answers(func(string) string {
		keyring, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, unix.KEY_SPEC_SESSION_KEYRING)
		if err != nil {
			keyring = err.Error()
		}
		var cpus unix.CPUSet
		_ = unix.SchedGetaffinity(0, &cpus)
		attr, _ := unix.SchedGetAttr(0, 0)
		slack, _ := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		ioprio, _, _ := unix.RawSyscall(unix.SYS_IOPRIO_GET, 1, 0, 0)
		persona, _, _ := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
		umask := unix.Umask(0)
		unix.Umask(umask)
		policy := "?"
		if attr != nil {
			policy = fmt.Sprintf("%d/%d/%d", attr.Policy, attr.Nice, attr.Priority)
		}
		return fmt.Sprintf("cpus %d\npolicy %s\nslack %d\nioprio %d\npersonality %x\numask %o\nkeyring %s",
			cpus.Count(), policy, slack, ioprio, persona, umask, keyring)
	})
}

// probeTCP holds both ends of a connection, and passes each line over it.
func probeTCP([]string) error {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	addr := &unix.SockaddrInet4{Port: 7777, Addr: [4]byte{127, 0, 0, 1}}
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err := errors.Join(err, unix.Bind(listener, addr), unix.Listen(listener, 1), unix.Connect(client, addr)); err != nil {
		return err
	}
	server, _, err := unix.Accept(listener)
	if err != nil {
		return err
	}
	fmt.Println("connected")
	return answers(func(line string) string {
		if _, err := unix.Write(client, []byte(line)); err != nil {
			return err.Error()
		}
		buf := make([]byte, 100)
		n, err := unix.Read(server, buf)
		if err != nil {
			return err.Error()
		}
		return "over TCP " + string(buf[:n])
	})
}

// probeOpen holds open what the names of its arguments say, and says on each
// line what has become of it.
func probeOpen(args []string) error {
	holds := map[string]func() (func() string, error){
		"deleted": holdDeleted, "lock": holdLock, "linked": holdLinked, "pair": holdPair,
	}
	var looks []func() string
	for _, a := range args {
		look, err := holds[a]()
		if err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
		looks = append(looks, look)
	}
	fmt.Println("ready")
	return answers(func(string) string {
		var all []string
		for i, look := range looks {
			all = append(all, args[i]+" "+look())
		}
		return strings.Join(all, "\n")
	})
}

func contents(f *os.File) string {
	buf := make([]byte, 100)
	n, err := f.ReadAt(buf, 0)
	if n == 0 && err != nil {
		return err.Error()
	}
	return string(buf[:n])
}

func written(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString("text of " + name)
	}
	return f, err
}

func holdDeleted() (func() string, error) {
	f, err := written("/deleted")
	if err == nil {
		err = os.Remove("/deleted")
	}
	return func() string { return contents(f) }, err
}

// holdLinked is a file that was removed by the name under which it is open, and has another.
func holdLinked() (func() string, error) {
	f, err := written("/linked")
	err = errors.Join(err, os.Link("/linked", "/other"), os.Remove("/linked"))
	return func() string { return contents(f) }, err
}

func holdLock() (func() string, error) {
	f, err := written("/lock")
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	return func() string {
		other, err := os.Open("/lock")
		if err != nil {
			return err.Error()
		}
		defer other.Close()
		if err := unix.Flock(int(other.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
			return "held: " + unix.ErrnoName(err.(unix.Errno))
		}
		return "not held"
	}, err
}

func holdPair() (func() string, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	return func() string {
		buf := make([]byte, 10)
		if _, err := unix.Write(fds[0], []byte("hello")); err != nil {
			return err.Error()
		}
		n, err := unix.Read(fds[1], buf)
		return fmt.Sprint(string(buf[:max(n, 0)]), err)
	}, err
}

// probeUnix is connected to a datagram socket outside, and sends each line there.
func probeUnix(args []string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err := errors.Join(err, unix.Connect(fd, &unix.SockaddrUnix{Name: args[0]})); err != nil {
		return err
	}
	fmt.Println("ready")
	return answers(func(line string) string {
		if _, err := unix.Write(fd, []byte(line)); err != nil {
			return err.Error()
		}
		return "sent"
	})
}

// probeUnixOnce sends its first line to a datagram socket, and repeats the others.
func probeUnixOnce(args []string) error {
	sent := false
	return answers(func(line string) string {
		if sent {
			return line
		}
		sent = true
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		if err == nil {
			defer unix.Close(fd)
			err = unix.Sendto(fd, []byte(line), 0, &unix.SockaddrUnix{Name: args[0]})
		}
		if err != nil {
			return err.Error()
		}
		return "sent"
	})
}

// probeOldCRIU is `criu swrk 3` of version 3.15, as far as the question for its version.
func probeOldCRIU([]string) error {
	return answerCRIU(os.NewFile(3, "socket"), criuVersion(3, 15))
}

// probeRefusingCRIU is one that can't do what it is asked for, and writes no log.
func probeRefusingCRIU([]string) error {
	sock, no, kind := os.NewFile(3, "socket"), false, rpc.CriuReqType_DUMP
	return errors.Join(answerCRIU(sock, criuVersion(4, 2)), answerCRIU(sock, &rpc.CriuResp{Type: &kind, Success: &no}))
}

func criuVersion(major, minor int32) *rpc.CriuResp {
	yes, kind := true, rpc.CriuReqType_VERSION
	return &rpc.CriuResp{Type: &kind, Success: &yes, Version: &rpc.CriuVersion{MajorNumber: &major, MinorNumber: &minor}}
}

// answerCRIU answers one request.
func answerCRIU(sock *os.File, answer *rpc.CriuResp) error {
	if _, err := sock.Read(make([]byte, 1<<16)); err != nil {
		return err
	}
	packet, err := answer.MarshalVT()
	if err != nil {
		return err
	}
	_, err = sock.Write(packet)
	return err
}
