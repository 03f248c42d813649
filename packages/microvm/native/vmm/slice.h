/** Runs one slice of a guest within its time. */
#pragma once
#include "machine.h"
#include "mail.h"

struct slice_order {
	enum entry entry;
	/** Length of the message, which lies in the text of the mail already. */
	uint32_t text_bytes;
	uint32_t memory_limit_bytes;
	/** Size of the guest's linear memory now. */
	uint32_t memory_pages;
	uint64_t clock_ns;
	uint64_t cpu_us;
	uint64_t slice_us;
	/** Asked when a signal came: whoever waits for this slice has given up. */
	bool (*is_cancelled)(void);
};

/** Blocks the signals that may only come while a guest runs. Called once, before anything else of this file. */
bool slice_hold_signals(void);

/** Runs a fresh guest until it rests. False where it does not; `diagnosis` of the machine says why. */
bool slice_boot(struct machine *machine);

/**
 * Runs the slice. False where the machine is dead: `end->stop` says of what, `diagnosis` how.
 * A slice that had to be cut short leaves its guest in the middle of something: only a reset can follow any stop.
 */
bool slice_run(struct machine *machine, const struct slice_order *order, struct slice_end *end);
