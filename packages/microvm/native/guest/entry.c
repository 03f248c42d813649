/**
 * Where the guest begins, and its way out. There is no kernel below it: the processor starts here in ring 3 with a
 * stack, and the only thing that it can do to the world is one store that leaves the virtual machine.
 */
#include "guest.h"

void ring(enum bell bell) {
	__asm__ volatile("movl %0, (%1)" ::"r"((uint32_t)bell), "r"(DOORBELL_VA) : "memory");
}

__attribute__((noreturn, used)) static void live(void) {
	boot();
	// The base image is taken while the guest rests in the first turn.
	for (;;) {
		ring(BELL_AT_REST);
		run_slice();
	}
}

void _start(void);

__attribute__((naked, noreturn)) void _start(void) {
	__asm__ volatile("xor %ebp, %ebp\n\tcall live");
}
