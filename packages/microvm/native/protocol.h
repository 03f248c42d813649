/**
 * Everything that two sides must agree on: the host process and the guest in its virtual machine (the mail), and the
 * host process and its parent (the frames). All numbers are little-endian, as the machine is.
 *
 * Invariants
 * 1. Every length that crosses a boundary has a bound here.
 * 2. What the guest writes is copied out once and checked before it is used: the guest is hostile.
 * 3. What the parent writes is checked before it is used: the parent is trusted with the program, not with this process.
 */
#pragma once
#include <stdint.h>

#define PROTOCOL_VERSION 1u

#define PAGE_BYTES 4096ull
#define WASM_PAGE_BYTES 65536ull
#define MIB (1024ull * 1024ull)

/* --- The guest's addresses ------------------------------------------------------------------------------------- */

/** Where guest.elf is linked to. */
#define ELF_VA 0x400000ull
/** The host's orders; the guest can only read them. */
#define ORDER_VA 0x30000000ull
/** The guest's reports. */
#define REPORT_VA 0x30001000ull
/** The stack ends here and grows down; below it nothing is mapped. */
#define STACK_TOP_VA 0x38000000ull
#define STACK_BYTES (8 * MIB)
/** Text of the mail, either way. */
#define TEXT_VA 0x40000000ull
#define TEXT_BYTES (64 * MIB)
/**
 * The engine's linear memory. An address in it is the sum of two 32-bit numbers, so the 8 GiB from here on hold this
 * memory and nothing else: whatever lies beyond its mapped part faults.
 */
#define LINEAR_VA 0x100000000ull
/** A store here leaves the virtual machine. */
#define DOORBELL_VA 0x400000000ull

/* --- The mail: one order in, one report out, then the guest rests ---------------------------------------------- */

/** What the guest stores to the doorbell. */
enum bell {
	/** It booted, or it ran the slice that was ordered: the report says how that ended. */
	BELL_AT_REST = 1,
	/** The engine hit a trap: `trap` of the report says which. */
	BELL_TRAPPED = 2,
};

enum entry { ENTRY_START = 1, ENTRY_DELIVER = 2 };

/** Why a slice was stopped. The same words in the same order as in the TypeScript client. */
enum stop {
	STOP_NONE = 0,
	STOP_CPU = 1,
	STOP_SLICE = 2,
	STOP_MEMORY = 3,
	STOP_STACK = 4,
	STOP_FAULT = 5,
	STOP_CANCELLED = 6,
	STOP_VALUE = 7,
};

struct mail_order {
	/** An `enum entry`. */
	uint32_t entry;
	/** Length of the message in the text of the mail. */
	uint32_t text_bytes;
	/** What the engine may allocate. */
	uint32_t memory_limit_bytes;
	/** Size of the linear memory before this slice, in pages of WebAssembly. */
	uint32_t memory_pages;
	/** A slice whose linear memory grew beyond this is stopped. */
	uint32_t memory_pages_stop;
	/** Beyond this it cannot grow. */
	uint32_t memory_pages_max;
	/** An `enum stop`; set while the guest runs, seen when the engine next asks whether to go on. */
	uint32_t stop;
	uint32_t unused;
	/** What the engine's clock says during the slice. Nanoseconds since 1970. */
	uint64_t clock_ns;
};

struct mail_report {
	/** An `enum stop`. */
	uint32_t stop;
	/** Number of an answer that answers no open call; nothing was delivered then. */
	uint32_t unknown_call;
	/** Length of what the program asked and printed, in the text of the mail. */
	uint32_t text_bytes;
	/** Size of the linear memory now. */
	uint32_t memory_pages;
	/** Nonzero once the guest has seen that it is to stop: it hands over what was printed. */
	uint32_t stop_seen;
	/** Number of a trap of the engine. */
	uint32_t trap;
	/** After the boot: the engine's stack ends here at rest, all below it is zero. */
	uint32_t stack_pointer;
	/** After the boot: address and length of the room for small messages in the linear memory. */
	uint32_t scratch;
	uint32_t scratch_bytes;
	/** After the boot: where in the linear memory the engine counts down to its next look at `stop`; 0 where nowhere. */
	uint32_t countdown;
};

/* --- The frames: one request in, one reply out ----------------------------------------------------------------- */

/** Before every body. */
struct frame_head {
	uint32_t body_bytes;
	/** An `enum request` or an `enum reply`. */
	uint32_t kind;
};

enum request {
	/** Body: a `slice_request`, then the message for the prelude's `start`. */
	REQUEST_START = 1,
	/** Body: a `slice_request`, then the message for the prelude's `deliver`. */
	REQUEST_DELIVER = 2,
	/** No body. Between two slices of a program that waits. */
	REQUEST_SNAPSHOT = 3,
	/** Body: an `image_head`, then what `REPLY_IMAGE` has. Makes the guest the one of the snapshot. */
	REQUEST_RESTORE = 4,
	/** No body. Makes the guest a fresh one. */
	REQUEST_RESET = 5,
	/** No body. */
	REQUEST_PING = 6,
	/** No body, no reply. The only request that may come while a slice runs; at any other time it does nothing. */
	REQUEST_CANCEL = 7,
};

enum reply {
	/** Body: a `hello`. Once, before the first request. */
	REPLY_HELLO = 1,
	/** Body: a `slice_reply`, then the outbox. */
	REPLY_SLICE = 2,
	/** Body: an `image_head`, the numbers of the changed pages (32 bits each, ascending), their words as `swapped`. */
	REPLY_IMAGE = 3,
	REPLY_DONE = 4,
	/** Body: the reason, ASCII. The guest is what it was before, except after a `REQUEST_RESTORE`: it is a fresh one then. */
	REPLY_REFUSED = 5,
	/** Body: a `fault_reply`, then a diagnosis, ASCII. The process ends. */
	REPLY_FAULT = 6,
};

/** `flags` of a slice_request: throw away the program before, if there is one. */
#define SLICE_RESETS 1u

struct slice_request {
	uint32_t flags;
	uint32_t memory_limit_bytes;
	/** CPU time left to the program. */
	uint64_t cpu_us;
	/** Wall time of this slice. */
	uint64_t slice_us;
	uint64_t clock_ns;
};

struct slice_reply {
	/** An `enum stop`. */
	uint32_t stop;
	uint32_t unknown_call;
	uint64_t cpu_us;
};

struct image_head {
	/** A multiple of the page size of WebAssembly. */
	uint32_t memory_bytes;
	uint32_t page_count;
};

struct fault_reply {
	/** `STOP_FAULT`, or `STOP_STACK` where the guest ran out of it. */
	uint32_t stop;
};

/** Which kind of machine keeps the guest in. The same words in the same order as in the TypeScript client. */
enum isolation { ISOLATION_UNKNOWN = 0, ISOLATION_SVM = 1, ISOLATION_VMX = 2, ISOLATION_PVM = 3 };

struct hello {
	uint32_t protocol;
	/** An `enum isolation`. */
	uint32_t isolation;
	/** SHA-256 over the SHA-256 of the engine's module, the prelude, and the linear memory of the base image. */
	uint8_t guest_digest[32];
	/** Size of the base image's linear memory. */
	uint32_t memory_bytes;
	/** What it can grow to. */
	uint32_t memory_bytes_max;
	/** From the start of `main` to the sealed image. */
	uint32_t boot_us;
	/** 1 where the kernel can say which pages were written; 0 where all of them must be compared. */
	uint32_t has_page_scan;
};

/** A reason or a diagnosis is cut at this. */
#define REASON_BYTES_MAX 240u
/** The longest slice, and the most CPU time: an hour, so that sums of times never overflow. */
#define SLICE_US_MAX 3600000000ull
/** Pages of WebAssembly that the linear memory may have: 2 GiB, so that an address fits 31 bits. */
#define MEMORY_PAGES_MAX 32768u
