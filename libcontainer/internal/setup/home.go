package setup

import (
	"bufio"
	"io"
	"os"

	"github.com/moby/sys/user"

	"github.com/ociruntime/ociruntime/libcontainer/internal/fs"
	"github.com/ociruntime/ociruntime/libcontainer/launch"
)

// passwdLimit bounds what is read of a file that the image controls.
const passwdLimit = 4 << 20

// SetHome tells the init the value of HOME. files holds the container's /etc/passwd, if it has one.
func SetHome(p *launch.Process, uid uint32, files []*os.File) error {
	home := "/"
	if len(files) == 1 {
		if h := homeOf(files[0], uid); h != "" {
			home = h
		}
	}
	return p.SetHome("HOME=" + home)
}

// homeOf looks a user up in a passwd file, which has been found but not opened. The file is the
// image's: it may be anything, of any size, and what can't be read does not name a home.
func homeOf(found *os.File, uid uint32) string {
	fd, err := fs.OpenRegular(int(found.Fd()))
	if err != nil {
		return ""
	}
	passwd := os.NewFile(uintptr(fd), "/etc/passwd")
	defer passwd.Close()
	users, err := user.ParsePasswdFilter(bufio.NewReader(io.LimitReader(passwd, passwdLimit)), func(u user.User) bool { return u.Uid == int(uid) })
	if err != nil || len(users) == 0 {
		return ""
	}
	return users[0].Home
}
