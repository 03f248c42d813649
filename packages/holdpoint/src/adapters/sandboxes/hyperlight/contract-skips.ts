/** What of the sandbox contract Hyperlight cannot keep, and why. For the contract suite; exact, see there. */

const unwritable = "Hyperlight 0.4.0 keeps a guest's memory in its own process and cannot write it down";
const frozen = "print and require are globals of Hyperlight's engine that cannot be removed; both reach nothing";

export const contractSkips: { readonly [name: string]: string } = {
	"a program goes on from a snapshot of its first call, on another host": unwritable,
	"closures, maps, classes, generators and the call stack survive a wait": unwritable,
	"a snapshot does not disturb the guest that it was taken of": unwritable,
	"a program may be moved again and again": unwritable,
	"a hundred open calls survive a wait and are answered in any order": unwritable,
	"races and chains settle in the same order, replayed or restored": unwritable,
	"an answer that denies or fails reaches a restored program": unwritable,
	"the random numbers, the clock and the count of calls go on where they were": unwritable,
	"a snapshot of another program, a damaged one and a foreign one are refused": unwritable,
	"bytes changed anywhere in a snapshot harm nobody else": unwritable,
	"a snapshot over its limit is refused when it is taken, and the guest goes on": unwritable,
	"a program has no way out: no timers, network, files, modules, or view of the collector": frozen,
	"a function's constructor leads to the guest's own global and no further": frozen,
	"deep recursion of any kind is an error of the program, and the next one is well":
		"its engine has no limit of the stack: deep recursion ends the program for its memory or CPU time, not with an error",
	"a stopped program keeps what it printed":
		"a machine that was stopped is broken, and nothing can be read from it: what the last slice printed is lost",
};
