/** Reads what the guest left in the mail. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../protocol.h"

/** How a slice ended. */
struct slice_end {
	enum stop stop;
	/** Number of an answer that answers no open call; nothing was delivered then. */
	uint32_t unknown_call;
	/** Length of the outbox in the text of the mail. */
	uint32_t text_bytes;
	/** Size of the linear memory, in pages of WebAssembly. */
	uint32_t memory_pages;
	uint64_t cpu_us;
};

/** What a true report can hold. */
struct mail_bounds {
	uint32_t memory_pages_min;
	uint32_t memory_pages_max;
	/** What the guest was asked to stop for. */
	enum stop asked;
	/** Whether the slice began with answers: only then there are calls that they may not fit. */
	bool has_answers;
};

/**
 * Reads a copy of a report. Null where it can be true, otherwise what is wrong with it.
 * Invariant: whatever the guest wrote, the numbers in `end` are within the bounds, or they are not used.
 */
const char *mail_read(const struct mail_report *report, const struct mail_bounds *bounds, struct slice_end *end);
