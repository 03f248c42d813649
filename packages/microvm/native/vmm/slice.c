/**
 * Deadlines without threads and without signal handlers: signals are blocked except while the guest runs, where they
 * end the run; then the host looks at its clocks and sends the guest in again.
 *
 * A guest that is to stop is asked first: a word in its mail, which the engine looks at every ten thousand steps, makes
 * it hand over what it had printed and come to rest in the middle of its program. Ten thousand steps can be long, so the
 * host ends the engine's count of them; a guest that was just done goes on with a count that is shorter once, and no program can tell. A guest that still
 * does not react in time, because it is inside one long built-in function or because it is hostile, is not sent in again.
 *
 * What came before the guest runs has raised no signal where this process was just being woken by the request itself: the
 * kernel leaves it out for a reader that waits. So the host looks at its input once before it lets the guest run.
 *
 * Invariant: a guest gets at most STOP_GRACE_US + LAST_WORDS_US of CPU time beyond its deadline, whatever it does.
 */
#include "slice.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/** What a guest has to notice that it is to stop. CPU time: it cannot react while other processes have the processor. */
#define STOP_GRACE_US 700u
/** How often it is hurried until then. */
#define HURRY_US 250u
/** What one that noticed has to hand over what it printed. CPU time. */
#define LAST_WORDS_US 800u
#define BOOT_US_MAX 10000000u

enum phase { PHASE_RUNNING, PHASE_ASKED, PHASE_LAST_WORDS };

struct watch {
	enum phase phase;
	enum stop asked;
	uint64_t cpu_start_us;
	uint64_t cpu_us;
	/** Wall times. */
	uint64_t slice_until_us;
	uint64_t cpu_check_us;
	/** CPU time of this process at which a guest that was asked to stop has had its time. */
	uint64_t stop_until_cpu_us;
};

static uint64_t clock_us(clockid_t clock) {
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint64_t wall_us(void) {
	return clock_us(CLOCK_MONOTONIC);
}

static uint64_t own_cpu_us(void) {
	return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static void held_signals(sigset_t *set) {
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGALRM);
	(void)sigaddset(set, SIGIO);
}

bool slice_hold_signals(void) {
	sigset_t set;
	held_signals(&set);
	return sigprocmask(SIG_SETMASK, &set, NULL) == 0;
}

static void take_signals(void) {
	sigset_t set;
	held_signals(&set);
	const struct timespec now = {0, 0};
	while (sigtimedwait(&set, NULL, &now) > 0) continue;
}

/** A signal at that time, or as good as now. 0 takes it back. */
static void set_timer(uint64_t until_us) {
	struct itimerval timer;
	memset(&timer, 0, sizeof timer);
	if (until_us != 0) {
		uint64_t now = wall_us();
		uint64_t left = until_us > now ? until_us - now : 1;
		timer.it_value.tv_sec = (time_t)(left / 1000000u);
		timer.it_value.tv_usec = (suseconds_t)(left % 1000000u);
	}
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static uint64_t sooner(uint64_t one, uint64_t other) {
	return one < other ? one : other;
}

/** Why the slice must end now. CPU time never passes faster than wall time, so its clock is read only when it may be out. */
static enum stop due(struct watch *watch, const struct slice_order *order, uint64_t now) {
	if (order->is_cancelled()) return STOP_CANCELLED;
	if (now >= watch->slice_until_us) return STOP_SLICE;
	if (now < watch->cpu_check_us) return STOP_NONE;
	uint64_t used = own_cpu_us() - watch->cpu_start_us;
	if (used >= watch->cpu_us) return STOP_CPU;
	watch->cpu_check_us = now + (watch->cpu_us - used);
	return STOP_NONE;
}

/** Makes the engine look at once whether it is to stop. A guest in the middle of counting may undo that. */
static void hurry(struct machine *machine) {
	static const int32_t last_step = 1;
	if (machine->countdown != 0) memcpy(linear_memory(machine) + machine->countdown, &last_step, sizeof last_step);
}

static void give_time(struct watch *watch, enum phase phase, uint64_t us) {
	watch->phase = phase;
	watch->stop_until_cpu_us = own_cpu_us() + us;
	set_timer(wall_us() + (phase == PHASE_ASKED ? HURRY_US : us));
}

static void ask_to_stop(struct machine *machine, struct watch *watch, enum stop reason) {
	((volatile struct mail_order *)mail_order(machine))->stop = (uint32_t)reason;
	watch->asked = reason;
	hurry(machine);
	give_time(watch, PHASE_ASKED, STOP_GRACE_US);
}

/** After a signal. False where the guest must not run again. */
static bool may_run_on(struct machine *machine, struct watch *watch, const struct slice_order *order) {
	take_signals();
	if (watch->phase == PHASE_RUNNING) {
		enum stop reason = due(watch, order, wall_us());
		if (reason != STOP_NONE) ask_to_stop(machine, watch, reason);
		else set_timer(sooner(watch->slice_until_us, watch->cpu_check_us));
		return true;
	}
	uint64_t used = own_cpu_us();
	if (watch->phase == PHASE_ASKED && mail_report(machine)->stop_seen != 0) {
		// The guest may say this without doing it; it gains these milliseconds once.
		give_time(watch, PHASE_LAST_WORDS, LAST_WORDS_US);
		return true;
	}
	if (used >= watch->stop_until_cpu_us) return false;
	uint64_t left = watch->stop_until_cpu_us - used;
	if (watch->phase == PHASE_ASKED) hurry(machine);
	set_timer(wall_us() + (watch->phase == PHASE_ASKED ? sooner(left, HURRY_US) : left));
	return true;
}

static void write_order(struct machine *machine, const struct slice_order *order) {
	uint64_t most = (uint64_t)machine->base_memory_pages + order->memory_limit_bytes / WASM_PAGE_BYTES;
	*mail_order(machine) = (struct mail_order){
		.entry = order->entry,
		.text_bytes = order->text_bytes,
		.memory_limit_bytes = order->memory_limit_bytes,
		.memory_pages = order->memory_pages,
		.memory_pages_stop = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX,
		.clock_ns = order->clock_ns,
	};
	mail_report(machine)->stop_seen = 0;
}

static bool take_report(struct machine *machine, enum stop asked, struct slice_end *end) {
	struct mail_report report;
	memcpy(&report, (const void *)mail_report(machine), sizeof report);
	const struct mail_bounds bounds = {
		.memory_pages_min = machine->base_memory_pages,
		.memory_pages_max = (uint32_t)(machine->layout.linear_bytes / WASM_PAGE_BYTES),
		.asked = asked,
		.has_answers = mail_order(machine)->entry == ENTRY_DELIVER,
	};
	const char *wrong = mail_read(&report, &bounds, end);
	return wrong == NULL || machine_failed(machine, "%s", wrong);
}

/** What the guest did when it did not come to rest. */
static bool end_of(struct machine *machine, enum machine_exit exit, uint32_t bell) {
	if (exit == EXIT_BELL && bell == BELL_TRAPPED) {
		return machine_failed(machine, "the engine hit trap %u", mail_report(machine)->trap);
	}
	if (exit == EXIT_BELL) return machine_failed(machine, "the guest rang for %u, which means nothing", bell);
	return false;
}

bool slice_run(struct machine *machine, const struct slice_order *order, struct slice_end *end) {
	uint64_t start = wall_us();
	struct watch watch = {
		.phase = PHASE_RUNNING,
		.cpu_start_us = own_cpu_us(),
		.cpu_us = order->cpu_us,
		.slice_until_us = start + order->slice_us,
		.cpu_check_us = start + order->cpu_us,
	};
	memset(end, 0, sizeof *end);
	write_order(machine, order);
	if (order->is_cancelled()) ask_to_stop(machine, &watch, STOP_CANCELLED);
	else set_timer(sooner(watch.slice_until_us, watch.cpu_check_us));
	uint32_t bell = 0;
	enum machine_exit exit;
	bool may_run = true;
	do exit = machine_enter(machine, &bell);
	while (exit == EXIT_SIGNAL && (may_run = may_run_on(machine, &watch, order)));
	set_timer(0);
	end->cpu_us = own_cpu_us() - watch.cpu_start_us;
	if (!may_run) {
		end->stop = watch.asked;
		end->memory_pages = machine->base_memory_pages;
		return true;
	}
	if (exit == EXIT_BELL && bell == BELL_AT_REST && take_report(machine, watch.asked, end)) return true;
	end->stop = exit == EXIT_STACK ? STOP_STACK : STOP_FAULT;
	return exit == EXIT_BELL && bell == BELL_AT_REST ? false : end_of(machine, exit, bell);
}

bool slice_boot(struct machine *machine) {
	uint64_t until = wall_us() + BOOT_US_MAX;
	uint32_t bell = 0;
	enum machine_exit exit;
	set_timer(until);
	do {
		exit = machine_enter(machine, &bell);
		if (exit == EXIT_SIGNAL) take_signals();
	} while (exit == EXIT_SIGNAL && wall_us() < until);
	set_timer(0);
	if (exit == EXIT_SIGNAL) return machine_failed(machine, "the guest did not boot in time");
	if (exit == EXIT_BELL && bell == BELL_AT_REST) return true;
	return end_of(machine, exit, bell);
}
