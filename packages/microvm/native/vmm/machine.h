/**
 * One virtual machine with one processor and one guest: its memory, its only way in and its only way out.
 *
 * Owns: the guest's physical memory, the processor, the state that a reset goes back to.
 * Does not own: what the mail means, when a slice must end.
 *
 * Invariants
 * 1. The processor only ever runs in ring 3. There is no kernel, no interrupt table, no device: any fault, any access to
 *    a port or to an unmapped address ends the machine.
 * 2. Nothing that the guest can write is executable, and the page tables are not mapped in the guest.
 * 3. After `machine_seal` every program starts from the same bytes and the same registers; `machine_reset` goes back there.
 * 4. Registers never come from outside this process.
 */
#pragma once
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol.h"

/** Of KVM_SET_XSAVE, for all that a processor has without asking the kernel for more. */
#define XSAVE_WORDS 1024

/** What the processor knows beside the memory. */
struct processor_state {
	struct kvm_regs general;
	struct kvm_sregs system;
	/** All of it, the parts that the guest is not told of too: some kinds of machine let it use them. */
	uint32_t extended[XSAVE_WORDS];
	struct kvm_vcpu_events events;
};

/** Guest-physical addresses of the parts of `memory`. */
struct layout {
	uint64_t data;
	uint64_t data_bytes;
	uint64_t order;
	uint64_t report;
	uint64_t stack;
	uint64_t text;
	uint64_t linear;
	uint64_t linear_bytes;
	uint64_t end;
};

struct machine {
	int kvm_fd;
	int vm_fd;
	int vcpu_fd;
	/** Of the kernel, for asking which pages were written; -1 where it cannot say. */
	int pagemap_fd;
	struct kvm_run *run;
	size_t run_bytes;
	/** The guest's physical memory from 0 on. */
	uint8_t *memory;
	struct layout layout;
	/** The file's bytes that are mapped as code and constants. */
	void *code;
	size_t code_bytes;
	/** The sealed image at the same offsets as in `memory`; holes read as zero but must not be read: they would fill. */
	const uint8_t *base;
	/** One bit for every page of `memory`: the sealed image has something there. */
	uint8_t *base_pages;
	struct processor_state sealed;
	/** Of the sealed image. */
	uint32_t base_memory_pages;
	uint32_t stack_pointer;
	uint32_t scratch;
	uint32_t scratch_bytes;
	uint32_t countdown;
	/** The processor still has to finish its store to the doorbell. */
	bool is_at_bell;
	/** Why the last thing failed. ASCII. */
	char diagnosis[REASON_BYTES_MAX];
};

enum machine_exit {
	/** The guest rang; `bell` has what it stored. */
	EXIT_BELL,
	/** A signal came. */
	EXIT_SIGNAL,
	/** The machine is dead. */
	EXIT_FAULT,
	/** It is dead because the guest ran out of stack. */
	EXIT_STACK,
};

/** Files that the machine needs, opened before anything is locked. */
struct machine_files {
	int kvm_fd;
	int elf_fd;
	int pagemap_fd;
};

/** Makes a machine whose guest has not run yet. On failure `diagnosis` says why. */
bool machine_create(struct machine *machine, const struct machine_files *files, uint32_t memory_pages_max);
/** Takes the guest as it rests now as what every program starts from. */
bool machine_seal(struct machine *machine);
/** Runs the guest until it rings, faults, or a signal comes. */
enum machine_exit machine_enter(struct machine *machine, uint32_t *bell);
/** Goes back to the sealed state: every byte of memory, every register. */
bool machine_reset(struct machine *machine);

/** Keeps a reason, cut to its room. */
__attribute__((format(printf, 2, 3))) bool machine_failed(struct machine *machine, const char *format, ...);

static inline bool is_base_page(const struct machine *machine, uint64_t page) {
	return (machine->base_pages[page / 8] >> (page % 8)) & 1;
}

static inline struct mail_order *mail_order(struct machine *machine) {
	return (struct mail_order *)(machine->memory + machine->layout.order);
}

static inline volatile struct mail_report *mail_report(struct machine *machine) {
	return (volatile struct mail_report *)(machine->memory + machine->layout.report);
}

static inline uint8_t *mail_text(struct machine *machine) {
	return machine->memory + machine->layout.text;
}

static inline uint8_t *linear_memory(struct machine *machine) {
	return machine->memory + machine->layout.linear;
}
