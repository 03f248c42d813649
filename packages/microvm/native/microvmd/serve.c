/**
 * The requests of the parent.
 *
 * Owns: what may follow what. Does not own: bytes in and out (frames.c), how a guest runs (vmm/).
 *
 * Invariants
 * 1. Every request but `CANCEL` has one reply; a request that cannot be is answered by `REFUSED` and changes nothing.
 * 2. A length or a number of the parent is used after it was compared with its bound.
 * 3. Once a program is over, its guest is reset before the next request is read.
 * 4. What is no frame, or a frame at a wrong moment, ends the process: there is nothing to trust any more.
 */
#include "serve.h"

#include <string.h>

#include "../vmm/changed-pages.h"
#include "../vmm/slice.h"
#include "frames.h"

enum guest_state {
	/** The base image. */
	GUEST_FRESH,
	/** A program waits in it. */
	GUEST_WAITS,
	/** Its program is over. */
	GUEST_SPENT,
};

static struct {
	struct machine *machine;
	enum guest_state state;
	/** Size of the guest's linear memory, in pages of WebAssembly. */
	uint32_t memory_pages;
	/** The most bytes of a small message since the last reset. */
	uint32_t scratch_used;
	uint32_t *numbers;
} host;

/** Pages that go through one buffer. */
#define CHUNK_PAGES 16u
static uint8_t chunk[CHUNK_PAGES * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

__attribute__((noreturn)) static void end_by_fault(enum stop stop) {
	const char *diagnosis = host.machine->diagnosis;
	const struct fault_reply fault = {.stop = stop};
	frame_send(REPLY_FAULT, &fault, sizeof fault, diagnosis, strlen(diagnosis));
	die(EXIT_CODE_FAULT, diagnosis);
}

static void reset(void) {
	if (host.state == GUEST_FRESH) return;
	if (!machine_reset(host.machine)) end_by_fault(STOP_FAULT);
	host.state = GUEST_FRESH;
	host.memory_pages = host.machine->base_memory_pages;
	host.scratch_used = 0;
}

/** Forgets what is left of a body and says why. */
static void refuse(size_t unread, const char *reason) {
	frame_skip(unread);
	frame_send(REPLY_REFUSED, NULL, 0, reason, strlen(reason));
}

static void done(void) {
	frame_send(REPLY_DONE, NULL, 0, NULL, 0);
}

/* --- Slices ----------------------------------------------------------------------------------------------------- */

/** The only thing that may come while a slice runs. */
static bool is_cancelled(void) {
	if (!frame_waits()) return false;
	struct frame_head head;
	frame_read(&head, sizeof head);
	if (head.kind != REQUEST_CANCEL || head.body_bytes != 0) die(EXIT_CODE_PROTOCOL, "a request came while a slice ran");
	return true;
}

/** Whether the last line of an outbox is that of a program that waits. */
static bool says_open(const uint8_t *text, uint32_t bytes) {
	return bytes > 0 && text[bytes - 1] == 'o' && (bytes == 1 || text[bytes - 2] == '\n');
}

static const char *slice_refusal(const struct slice_request *request, enum entry entry) {
	if (request->flags & ~SLICE_RESETS) return "a slice has flags that do not exist";
	if (request->cpu_us > SLICE_US_MAX || request->slice_us > SLICE_US_MAX) return "a slice is longer than it may be";
	bool resets = (request->flags & SLICE_RESETS) != 0;
	if (entry == ENTRY_DELIVER && (resets || host.state != GUEST_WAITS)) return "there is no program that waits";
	if (entry == ENTRY_START && !resets && host.state != GUEST_FRESH) return "the guest is not a fresh one";
	return NULL;
}

static void run_slice(const struct slice_request *request, enum entry entry, uint32_t text_bytes) {
	const struct slice_order order = {
		.entry = entry,
		.text_bytes = text_bytes,
		.memory_limit_bytes = request->memory_limit_bytes,
		.memory_pages = host.memory_pages,
		.clock_ns = request->clock_ns,
		.cpu_us = request->cpu_us,
		.slice_us = request->slice_us,
		.is_cancelled = is_cancelled,
	};
	struct slice_end end;
	if (!slice_run(host.machine, &order, &end)) end_by_fault(end.stop);
	const uint8_t *text = mail_text(host.machine);
	bool waits = end.stop == STOP_NONE && (end.unknown_call != 0 || says_open(text, end.text_bytes));
	host.state = waits ? GUEST_WAITS : GUEST_SPENT;
	host.memory_pages = end.memory_pages;
	const struct slice_reply reply = {.stop = end.stop, .unknown_call = end.unknown_call, .cpu_us = end.cpu_us};
	frame_send(REPLY_SLICE, &reply, sizeof reply, text, end.text_bytes);
	// While the parent is busy with the answer.
	if (host.state == GUEST_SPENT) reset();
}

static void serve_slice(uint32_t body_bytes, enum entry entry) {
	struct slice_request request;
	if (body_bytes < sizeof request || body_bytes - sizeof request > TEXT_BYTES) {
		refuse(body_bytes, "a message is longer than it may be");
		return;
	}
	uint32_t text_bytes = body_bytes - (uint32_t)sizeof request;
	frame_read(&request, sizeof request);
	const char *refusal = slice_refusal(&request, entry);
	if (refusal != NULL) {
		refuse(text_bytes, refusal);
		return;
	}
	if (request.flags & SLICE_RESETS) reset();
	frame_read(mail_text(host.machine), text_bytes);
	uint32_t in_scratch = text_bytes <= host.machine->scratch_bytes ? text_bytes : 0;
	if (in_scratch > host.scratch_used) host.scratch_used = in_scratch;
	run_slice(&request, entry, text_bytes);
}

/* --- Snapshots -------------------------------------------------------------------------------------------------- */

static void send_pages(uint32_t count) {
	const uint8_t *memory = linear_memory(host.machine);
	for (uint32_t i = 0; i < count;) {
		uint32_t filled = 0;
		for (; filled < CHUNK_PAGES && i < count; filled++, i++) {
			const void *page = memory + (size_t)host.numbers[i] * PAGE_BYTES;
			swap_page(host.machine, host.numbers[i], page, (uint32_t *)(void *)(chunk + filled * PAGE_BYTES));
		}
		frame_write(chunk, (size_t)filled * PAGE_BYTES);
	}
}

static void serve_snapshot(void) {
	if (host.state != GUEST_WAITS) {
		refuse(0, "there is no program that waits");
		return;
	}
	// What is left of messages would cost bytes in every snapshot.
	memset(linear_memory(host.machine) + host.machine->scratch, 0, host.scratch_used);
	host.scratch_used = 0;
	uint32_t count = find_changed(host.machine, host.memory_pages, host.numbers);
	const struct image_head head = {.memory_bytes = host.memory_pages * WASM_PAGE_BYTES, .page_count = count};
	size_t numbers_bytes = (size_t)count * sizeof *host.numbers;
	size_t body_bytes = sizeof head + numbers_bytes + (size_t)count * PAGE_BYTES;
	// All pages of the largest memory and their numbers stay below 4 GiB.
	frame_begin(REPLY_IMAGE, body_bytes, &head, sizeof head);
	frame_write(host.numbers, numbers_bytes);
	send_pages(count);
}

static const char *image_refusal(const struct image_head *head, uint64_t rest_bytes) {
	uint64_t most = host.machine->layout.linear_bytes;
	uint64_t least = (uint64_t)host.machine->base_memory_pages * WASM_PAGE_BYTES;
	if (head->memory_bytes % WASM_PAGE_BYTES != 0 || head->memory_bytes < least || head->memory_bytes > most) {
		return "its memory has an impossible size";
	}
	if (head->page_count > head->memory_bytes / PAGE_BYTES) return "it has more pages than the guest's memory";
	if (rest_bytes != (uint64_t)head->page_count * (sizeof(uint32_t) + PAGE_BYTES)) {
		return "its pages have another size than it says";
	}
	return NULL;
}

static bool are_in_order(const uint32_t *numbers, uint32_t count, uint32_t pages) {
	for (uint32_t i = 0; i < count; i++) {
		if (numbers[i] >= pages || (i > 0 && numbers[i] <= numbers[i - 1])) return false;
	}
	return true;
}

static void receive_pages(uint32_t count) {
	uint8_t *memory = linear_memory(host.machine);
	for (uint32_t i = 0; i < count;) {
		uint32_t filled = count - i < CHUNK_PAGES ? count - i : CHUNK_PAGES;
		frame_read(chunk, (size_t)filled * PAGE_BYTES);
		for (uint32_t j = 0; j < filled; j++, i++) {
			void *page = memory + (size_t)host.numbers[i] * PAGE_BYTES;
			swap_page(host.machine, host.numbers[i], (const uint32_t *)(void *)(chunk + j * PAGE_BYTES), page);
		}
	}
}

static void serve_restore(uint32_t body_bytes) {
	struct image_head head;
	if (body_bytes < sizeof head) {
		refuse(body_bytes, "it is no image");
		return;
	}
	frame_read(&head, sizeof head);
	reset();
	uint32_t rest_bytes = body_bytes - (uint32_t)sizeof head;
	const char *refusal = image_refusal(&head, rest_bytes);
	if (refusal != NULL) {
		refuse(rest_bytes, refusal);
		return;
	}
	uint32_t numbers_bytes = head.page_count * (uint32_t)sizeof *host.numbers;
	frame_read(host.numbers, numbers_bytes);
	if (!are_in_order(host.numbers, head.page_count, head.memory_bytes / PAGE_BYTES)) {
		refuse(rest_bytes - numbers_bytes, "its pages are not in order");
		return;
	}
	receive_pages(head.page_count);
	host.memory_pages = head.memory_bytes / WASM_PAGE_BYTES;
	host.state = GUEST_WAITS;
	done();
}

/* --- The loop --------------------------------------------------------------------------------------------------- */

static void serve_request(const struct frame_head *head) {
	switch (head->kind) {
	case REQUEST_START:
		serve_slice(head->body_bytes, ENTRY_START);
		return;
	case REQUEST_DELIVER:
		serve_slice(head->body_bytes, ENTRY_DELIVER);
		return;
	case REQUEST_RESTORE:
		serve_restore(head->body_bytes);
		return;
	default:
		break;
	}
	if (head->body_bytes != 0) die(EXIT_CODE_PROTOCOL, "a request has a body that it cannot have");
	switch (head->kind) {
	case REQUEST_SNAPSHOT:
		serve_snapshot();
		return;
	case REQUEST_RESET:
		reset();
		done();
		return;
	case REQUEST_PING:
		done();
		return;
	case REQUEST_CANCEL:
		// The slice that it was meant for is over.
		return;
	default:
		die(EXIT_CODE_PROTOCOL, "a request is of no kind that exists");
	}
}

void serve(struct machine *machine, uint32_t *numbers) {
	host.machine = machine;
	host.numbers = numbers;
	host.memory_pages = machine->base_memory_pages;
	host.state = GUEST_FRESH;
	for (;;) {
		struct frame_head head;
		frame_read(&head, sizeof head);
		serve_request(&head);
	}
}
