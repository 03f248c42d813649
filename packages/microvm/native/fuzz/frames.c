/**
 * Fuzzes all that reads what somebody else wrote: the requests of a parent, the images that it restores, the mail of a
 * guest. The loop of requests (serve.c), the deadlines (slice.c), the mail (mail.c) and the pages (changed-pages.c) are
 * the real ones; bytes come from the input, and in place of the machine a guest writes what the input says.
 *
 * Input: length of the guest's part (16 bits), the guest's part, the parent's part.
 *
 * What must hold: nothing is read or written outside of the memory, every request has one reply of the length that its
 * head says, and a reply shows nothing but the guest's own memory.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../microvmd/frames.h"
#include "../microvmd/serve.h"
#include "../vmm/changed-pages.h"
#include "../vmm/machine.h"
#include "../vmm/slice.h"

#define BASE_PAGES 4u
#define LINEAR_BYTES (8 * MIB)

struct input {
	const uint8_t *bytes;
	size_t left;
};

static struct input parent;
static struct input guest;
static struct machine machine;
static uint32_t numbers[LINEAR_BYTES / PAGE_BYTES];
static jmp_buf end_of_run;
/** Bytes that the reply in hand still has to have. */
static size_t owed_bytes;
static bool is_in_request;

static void must(bool condition) {
	if (!condition) abort();
}

static bool take(struct input *input, void *target, size_t bytes) {
	if (input->left < bytes) return false;
	memcpy(target, input->bytes, bytes);
	input->bytes += bytes;
	input->left -= bytes;
	return true;
}

/* --- In place of frames.c ---------------------------------------------------------------------------------------- */

void die(enum exit_code code, const char *reason) {
	must(code == EXIT_CODE_PROTOCOL || code == EXIT_CODE_FAULT);
	must(strlen(reason) < REASON_BYTES_MAX);
	longjmp(end_of_run, 1);
}

void frame_read(void *target, size_t bytes) {
	if (!take(&parent, target, bytes)) longjmp(end_of_run, 1);
	// The first thing that is read after a reply is the head of a request.
	if (!is_in_request) must(bytes == sizeof(struct frame_head));
	is_in_request = true;
}

void frame_skip(size_t bytes) {
	if (parent.left < bytes) longjmp(end_of_run, 1);
	parent.bytes += bytes;
	parent.left -= bytes;
}

/** A parent sends its next request when it has the reply to the last: during a slice there is a cancellation, or noise. */
bool frame_waits(void) {
	struct frame_head next;
	if (parent.left < sizeof next) return false;
	memcpy(&next, parent.bytes, sizeof next);
	return next.kind < REQUEST_START || next.kind > REQUEST_PING;
}

static void check_part(const void *bytes, size_t count) {
	volatile uint8_t sum = 0;
	for (size_t i = 0; i < count; i += PAGE_BYTES / 4) sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
	if (count > 0) sum = (uint8_t)(sum + ((const uint8_t *)bytes)[count - 1]);
}

void frame_begin(enum reply kind, size_t body_bytes, const void *part, size_t part_bytes) {
	must(is_in_request && owed_bytes == 0 && kind >= REPLY_HELLO && kind <= REPLY_FAULT);
	must(body_bytes >= part_bytes && body_bytes <= UINT32_MAX);
	check_part(part, part_bytes);
	owed_bytes = body_bytes - part_bytes;
	if (owed_bytes == 0) is_in_request = false;
}

void frame_write(const void *bytes, size_t count) {
	must(count <= owed_bytes);
	check_part(bytes, count);
	owed_bytes -= count;
	if (owed_bytes == 0) is_in_request = false;
}

void frame_send(enum reply kind, const void *part, size_t part_bytes, const void *text, size_t text_bytes) {
	frame_begin(kind, part_bytes + text_bytes, part, part_bytes);
	if (text_bytes > 0) frame_write(text, text_bytes);
}

/* --- In place of the machine ------------------------------------------------------------------------------------- */

bool machine_failed(struct machine *broken, const char *format, ...) {
	(void)format;
	memcpy(broken->diagnosis, "broken", sizeof "broken");
	return false;
}

static void set_base(void) {
	memset(machine.memory + machine.layout.linear + PAGE_BYTES, 7, PAGE_BYTES);
}

bool machine_reset(struct machine *used) {
	must(madvise(used->memory, used->layout.end, MADV_DONTNEED) == 0);
	set_base();
	return true;
}

/** Writes some bytes of its own somewhere in its linear memory, as a program would. */
static void scribble(void) {
	struct {
		uint32_t at;
		uint8_t bytes[12];
	} note;
	if (!take(&guest, &note, sizeof note)) return;
	memcpy(machine.memory + machine.layout.linear + note.at % (LINEAR_BYTES - sizeof note.bytes), note.bytes,
	       sizeof note.bytes);
}

enum machine_exit machine_enter(struct machine *entered, uint32_t *bell) {
	const struct mail_order *order = mail_order(entered);
	must(order->text_bytes <= TEXT_BYTES);
	must(order->memory_pages >= BASE_PAGES && order->memory_pages <= LINEAR_BYTES / WASM_PAGE_BYTES);
	struct mail_report report = {.text_bytes = 1, .memory_pages = order->memory_pages};
	uint8_t act = 0;
	(void)take(&guest, &act, 1);
	scribble();
	mail_text(entered)[0] = 'o';
	if (act & 1) (void)take(&guest, &report, sizeof report);
	if (act & 2) report.text_bytes %= 64;
	if (act & 4) report.memory_pages = order->memory_pages;
	if (act & 8) report.stop = order->stop;
	memcpy((void *)mail_report(entered), &report, sizeof report);
	*bell = act & 16 ? act : BELL_AT_REST;
	if ((act >> 5) == 5) return EXIT_SIGNAL;
	if ((act >> 5) == 6) return EXIT_FAULT;
	if ((act >> 5) == 7) return EXIT_STACK;
	return EXIT_BELL;
}

static void make_machine(void) {
	struct layout *layout = &machine.layout;
	layout->order = PAGE_BYTES;
	layout->report = 2 * PAGE_BYTES;
	layout->text = 3 * PAGE_BYTES;
	layout->linear = layout->text + TEXT_BYTES;
	layout->linear_bytes = LINEAR_BYTES;
	layout->end = layout->linear + LINEAR_BYTES;
	// With room on both sides that cannot be touched.
	uint8_t *room = mmap(NULL, layout->end + 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(room != MAP_FAILED && mprotect(room + MIB, layout->end, PROT_READ | PROT_WRITE) == 0);
	machine.memory = room + MIB;
	uint8_t *base = mmap(NULL, layout->end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(base != MAP_FAILED);
	memset(base + layout->linear + PAGE_BYTES, 7, PAGE_BYTES);
	machine.base = base;
	machine.base_pages = calloc(layout->end / PAGE_BYTES / 8 + 1, 1);
	must(machine.base_pages != NULL);
	uint64_t page = layout->linear / PAGE_BYTES + 1;
	machine.base_pages[page / 8] = (uint8_t)(1u << (page % 8));
	machine.pagemap_fd = -1;
	machine.base_memory_pages = BASE_PAGES;
	machine.stack_pointer = (uint32_t)PAGE_BYTES;
	machine.scratch = 3 * (uint32_t)PAGE_BYTES + 16;
	machine.scratch_bytes = (uint32_t)PAGE_BYTES;
	machine.countdown = 2 * (uint32_t)PAGE_BYTES;
	set_base();
	must(slice_hold_signals());
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
	if (machine.memory == NULL) make_machine();
	struct input all = {bytes, count};
	uint16_t guest_bytes = 0;
	if (!take(&all, &guest_bytes, sizeof guest_bytes) || guest_bytes > all.left) return 0;
	guest = (struct input){all.bytes, guest_bytes};
	parent = (struct input){all.bytes + guest_bytes, all.left - guest_bytes};
	owed_bytes = 0;
	is_in_request = false;
	if (setjmp(end_of_run) == 0) serve(&machine, numbers);
	must(machine_reset(&machine));
	return 0;
}
