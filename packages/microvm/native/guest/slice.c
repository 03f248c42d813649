/**
 * One slice: the same calls in the same order as `GuestInstance` in holdpoint's sandboxes/wasm/guest-instance.ts, so
 * that a guest stopped between two slices is the same bytes on both and either can go on from the other's snapshot.
 *
 * Invariants
 * 1. Between two slices nothing of a program is anywhere but in the linear memory.
 * 2. Once a slice was stopped, no code of the program runs again: the host accepts no further order before a reset.
 */
#include "guest.h"

/** More often than the wasm provider, for whom it costs a call of the host; here it is a look at one word. */
#define JOBS_PER_CHECK 64u

static enum stop stopped;
static bool saying_last_words;

static bool must_stop(void) {
	// The host ends this machine when they take too long.
	if (saying_last_words) return false;
	if (stopped == STOP_NONE) {
		if (engine.w2c_memory.pages > ORDER->memory_pages_stop) stopped = STOP_MEMORY;
		else stopped = (enum stop)ORDER->stop;
	}
	REPORT->stop_seen = stopped != STOP_NONE;
	return stopped != STOP_NONE;
}

/**
 * True where a value is one. The prelude never throws, so an exception says that the slice was stopped or that the
 * engine is out of memory.
 */
static bool is_value(uint32_t value) {
	if (value != 0 && Z_engineZ_qjs_is_exception(&engine, value) == 0) return true;
	if (value != 0 && stopped != STOP_NONE) return false;
	if (value != 0) Z_engineZ_qjs_free_value(&engine, Z_engineZ_qjs_get_exception(&engine));
	stopped = STOP_MEMORY;
	return false;
}

/** The message as a string of the engine, or 0. */
static uint32_t message_value(void) {
	uint32_t bytes = ORDER->text_bytes;
	bool is_small = bytes <= SCRATCH_BYTES;
	uint32_t address = is_small ? addresses.scratch : Z_engineZ_wasm_malloc(&engine, bytes);
	if (address == 0) {
		stopped = STOP_MEMORY;
		return 0;
	}
	memcpy(LINEAR + address, MAIL_TEXT, bytes);
	uint32_t text = Z_engineZ_qjs_new_string(&engine, address, bytes);
	if (!is_small) Z_engineZ_wasm_free(&engine, address);
	return is_value(text) ? text : 0;
}

static uint32_t whole_number(double value) {
	if (!(value >= 0 && value <= 4294967295.0)) return 0;
	uint32_t number = (uint32_t)value;
	return (double)number == value ? number : 0;
}

/** Calls one of the prelude's functions with the message. True where the slice may go on. */
static bool enter(uint32_t function) {
	uint32_t text = message_value();
	if (text == 0) return false;
	memcpy(LINEAR + addresses.cell, &text, sizeof text);
	uint32_t result = Z_engineZ_qjs_call(&engine, function, addresses.undefined, 1, addresses.cell);
	Z_engineZ_qjs_free_value(&engine, text);
	if (!is_value(result)) return false;
	REPORT->unknown_call = whole_number(Z_engineZ_qjs_get_float64(&engine, result));
	Z_engineZ_qjs_free_value(&engine, result);
	return true;
}

/** Runs until nothing in the program can move. True where the slice may go on. */
static bool run_jobs(void) {
	// An interrupt may have ended up in a promise, so what ended the last step is read from its own flag.
	for (uint32_t done = 1; stopped == STOP_NONE; done++) {
		int32_t ran = (int32_t)Z_engineZ_qjs_execute_pending_job(&engine);
		if (ran == 0) break;
		// A job that threw is the program's own affair, as an unhandled rejection is.
		if (ran < 0) Z_engineZ_qjs_free_value(&engine, Z_engineZ_qjs_get_exception(&engine));
		if (done % JOBS_PER_CHECK == 0) must_stop();
	}
	// A guest may have grown past its memory since the last check.
	return !must_stop();
}

/** Takes what the program asked and printed into the mail. */
static bool drain(void) {
	uint32_t text = Z_engineZ_qjs_call(&engine, addresses.drain, addresses.undefined, 0, 0);
	if (!is_value(text)) return false;
	uint32_t address = Z_engineZ_qjs_get_string_len(&engine, text, addresses.cell);
	if (address == 0) {
		stopped = STOP_MEMORY;
		return false;
	}
	uint32_t bytes;
	memcpy(&bytes, LINEAR + addresses.cell, sizeof bytes);
	bool fits = bytes <= TEXT_BYTES;
	if (fits) memcpy(MAIL_TEXT, LINEAR + address, bytes);
	Z_engineZ_qjs_free_cstring(&engine, address);
	Z_engineZ_qjs_free_value(&engine, text);
	bool is_at_rest = *Z_engineZ___stack_pointer(&engine) == addresses.stack_pointer;
	if (!is_at_rest && !saying_last_words) wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE);
	if (!fits) stopped = STOP_VALUE;
	REPORT->text_bytes = fits ? bytes : 0;
	return fits;
}

/** What a stopped program had printed: the model mends an endless loop more easily when it sees its output. */
static bool say_last_words(void) {
	enum stop reason = stopped;
	saying_last_words = true;
	bool is_said = drain();
	saying_last_words = false;
	stopped = reason;
	if (!is_said) REPORT->text_bytes = 0;
	return is_said;
}

static void report_end(void) {
	REPORT->stop = stopped;
	REPORT->memory_pages = engine.w2c_memory.pages;
}

bool interrupted(void) {
	if (!must_stop()) return false;
	// Where the memory or the stack is full, room comes by unwinding.
	if (stopped == STOP_MEMORY || !say_last_words()) return true;
	report_end();
	for (;;) ring(BELL_AT_REST);
}

static void set_memory_size(uint32_t pages) {
	engine.w2c_memory.pages = pages;
	engine.w2c_memory.size = pages * WASM_PAGE_BYTES;
}

void run_slice(void) {
	stopped = STOP_NONE;
	REPORT->stop = STOP_NONE;
	REPORT->stop_seen = 0;
	REPORT->unknown_call = 0;
	REPORT->text_bytes = 0;
	set_memory_size(ORDER->memory_pages);
	Z_engineZ_qjs_set_memory_limit(&engine, ORDER->memory_limit_bytes);
	uint32_t function = ORDER->entry == ENTRY_START ? addresses.start : addresses.deliver;
	bool is_done = enter(function) && (REPORT->unknown_call != 0 || (run_jobs() && drain()));
	if (!is_done) say_last_words();
	report_end();
}
