// Package plan is the data language in which a container's set-up is written down before anything
// happens.
//
// There are only a few types: a [Plan] is an ordered list of [Step]s; a step is one sentence for
// people, the place in config.json that asked for it, and the [Op]s (system calls with constant,
// string, buffer or register arguments) that do it.
//
// A plan is small and total. It has no loops and no jumps: an op runs, or it is skipped because of
// the outcome of an earlier op ([Cond]). So every plan ends, the printed order is the real order,
// and [Check] can prove things about all of its paths. Registers carry what the kernel answers
// (file descriptors, pids) from one op to a later one. There are no forward jumps: an op's
// condition on a three-valued register (ok, failed, not run) says the same and is easier to check
// and to print.
//
// The package makes no system calls and imports nothing of ours but namespace and layout.
// Builders of plans live in specconv, the linker that turns a plan into machine code and data in
// initimage, the host's side of running one in launch. A plan is never read from outside: accepting
// one as input would be a root-equivalent interface.
package plan
