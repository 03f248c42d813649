#include "mail.h"

#include <stddef.h>

/** The guest finds some limits itself; of the others it knows only when it is told. */
static bool can_stop_for(uint32_t stop, enum stop asked) {
	return stop == STOP_NONE || stop == STOP_MEMORY || stop == STOP_VALUE || stop == (uint32_t)asked;
}

const char *mail_read(const struct mail_report *report, const struct mail_bounds *bounds, struct slice_end *end) {
	if (!can_stop_for(report->stop, bounds->asked)) return "the guest stopped for a reason that nobody gave it";
	if (report->unknown_call != 0 && (!bounds->has_answers || report->stop != STOP_NONE)) {
		return "the guest refused an answer that nobody gave it";
	}
	if (report->text_bytes > TEXT_BYTES) return "the guest's text is longer than its room";
	if (report->memory_pages < bounds->memory_pages_min || report->memory_pages > bounds->memory_pages_max) {
		return "the guest's memory has an impossible size";
	}
	end->stop = (enum stop)report->stop;
	end->unknown_call = report->unknown_call;
	end->text_bytes = report->text_bytes;
	end->memory_pages = report->memory_pages;
	return NULL;
}
