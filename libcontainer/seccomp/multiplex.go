package seccomp

import (
	"math"
	"strings"
)

// Older 32-bit ABIs and their 64-bit successors make the socket and System V IPC calls through one
// system call each, whose first argument says which; the words are in the order of these numbers,
// "-" where there is none.
const (
	socketCalls = "- socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt " +
		"getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg"
	ipcCalls = "- semop semget semctl semtimedop - - - - - - msgsnd msgrcv msgget msgctl - - - - - - shmat shmdt shmget shmctl"
)

// multiplex makes the rules for such a call hold for the multiplexer too, as far as it has no rule
// without arguments of its own. It returns the largest multiplexer's number that got a rule, -1 for
// none.
func (l *layout) multiplex(a *arch, slots *[tableSize]uint16) int {
	var f finder
	largest := -1
	for _, mux := range [...]struct{ name, calls string }{{"ipc", ipcCalls}, {"socketcall", socketCalls}} {
		i, _ := f.find(mux.name)
		n := a.table[i]
		if n == none {
			continue
		}
		d, number := slots[n], uint64(0)
		for call := range strings.SplitSeq(mux.calls, " ") {
			if l.policy.decisions[d].clause < 0 && d >= firstOwn {
				break
			}
			if i, ok := f.find(call); ok && l.policy.calls[i] >= firstOwn {
				d = l.policy.multiplexed(d, l.policy.calls[i], number)
				largest = max(largest, int(n))
			}
			number++
		}
		slots[n] = d
	}
	return largest
}

// multiplexed returns decision d of a multiplexer with what decision call says about its call with
// a number. The call's own first argument is out of a filter's sight, in memory, and conditions on
// it are left out.
func (p *policy) multiplexed(d, call uint16, number uint64) uint16 {
	which := cond{index: 0, op: opEQ, mask: math.MaxUint64, value: number}
	var alternatives []clause
	if dec := p.decisions[call]; dec.clause < 0 {
		alternatives = []clause{{verdict: dec.verdict}}
	} else {
		alternatives = p.chain(call)
	}
	for _, c := range alternatives {
		conds := []cond{which}
		for _, have := range c.conds {
			if have.index != 0 {
				conds = append(conds, have)
			}
		}
		p.clauses = append(p.clauses, clause{conds, c.verdict})
		d = p.add(d, int32(len(p.clauses)-1), len(p.decisions))
	}
	return d
}
