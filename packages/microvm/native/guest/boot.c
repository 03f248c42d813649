/**
 * The boot: the same calls in the same order as `bootBaseImage` in holdpoint's sandboxes/wasm/base-image.ts, so that the
 * linear memory comes out as the same bytes. Whoever changes one changes the other; the test of the boot digest says so.
 */
#include "guest.h"
#include "prelude.h"

/** All of JavaScript but `WeakRef` and `FinalizationRegistry`, which show when the collector ran. */
#define INTRINSICS (0xffffffffu & ~(1u << 9))
/** Of the engine's own stack, which lies in its linear memory. */
#define ENGINE_STACK_BYTES 65536u
/** Free memory in every guest. */
#define SLACK_BYTES 1048576u

Z_engine_instance_t engine;
struct addresses addresses;

static void boot_must(bool condition) {
	if (!condition) wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE);
}

/** A copy of the text in the linear memory, with a zero behind it. */
static uint32_t write_text(const char *text, uint32_t bytes) {
	uint32_t address = Z_engineZ_wasm_malloc(&engine, bytes + 1);
	boot_must(address != 0);
	memcpy(LINEAR + address, text, bytes);
	LINEAR[address + bytes] = 0;
	return address;
}

static uint32_t evaluate_prelude(void) {
	static const char file_name[] = "prelude";
	uint32_t code = write_text(prelude_text, PRELUDE_BYTES);
	uint32_t name = write_text(file_name, sizeof file_name - 1);
	uint32_t value = Z_engineZ_qjs_eval(&engine, code, PRELUDE_BYTES, name, 0);
	Z_engineZ_wasm_free(&engine, code);
	Z_engineZ_wasm_free(&engine, name);
	boot_must(Z_engineZ_qjs_is_exception(&engine, value) == 0);
	return value;
}

static void take_addresses(uint32_t port) {
	addresses.start = Z_engineZ_qjs_get_prop_uint32(&engine, port, 0);
	addresses.deliver = Z_engineZ_qjs_get_prop_uint32(&engine, port, 1);
	addresses.drain = Z_engineZ_qjs_get_prop_uint32(&engine, port, 2);
	addresses.undefined = Z_engineZ_qjs_get_undefined(&engine);
	addresses.cell = Z_engineZ_wasm_malloc(&engine, 8);
	addresses.scratch = Z_engineZ_wasm_malloc(&engine, SCRATCH_BYTES);
}

void boot(void) {
	Z_engine_init_module();
	Z_engine_instantiate(&engine, NULL, NULL);
	Z_engineZ__initialize(&engine);
	boot_must(Z_engineZ_qjs_init2(&engine, INTRINSICS) == 0);
	Z_engineZ_qjs_set_max_stack_size(&engine, ENGINE_STACK_BYTES);
	Z_engineZ_qjs_set_interrupt_handler(&engine, 1);
	take_addresses(evaluate_prelude());
	Z_engineZ_wasm_free(&engine, Z_engineZ_wasm_malloc(&engine, SLACK_BYTES));
	addresses.stack_pointer = *Z_engineZ___stack_pointer(&engine);
	// What a finished call left in the scratch room is nothing that a guest needs; the stack is cleared by the host.
	memset(LINEAR + addresses.scratch, 0, SCRATCH_BYTES);
	REPORT->stack_pointer = addresses.stack_pointer;
	REPORT->scratch = addresses.scratch;
	REPORT->scratch_bytes = SCRATCH_BYTES;
	REPORT->countdown = ENGINE_COUNTDOWN;
	REPORT->memory_pages = engine.w2c_memory.pages;
}
