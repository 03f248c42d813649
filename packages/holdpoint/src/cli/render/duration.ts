/** `4 ms`, `1.2 s`, `3 min 5 s`, `2 h 7 min`, `3 d 4 h`. */
export function duration(ms: number): string {
	const whole = Math.max(0, ms);
	if (whole < 1_000) return `${Math.round(whole)} ms`;
	if (whole < 10_000) return `${(Math.floor(whole / 100) / 10).toFixed(1)} s`;
	const seconds = Math.floor(whole / 1_000);
	if (seconds < 60) return `${seconds} s`;
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) return said([minutes, "min"], [seconds % 60, "s"]);
	const hours = Math.floor(minutes / 60);
	if (hours < 24) return said([hours, "h"], [minutes % 60, "min"]);
	return said([Math.floor(hours / 24), "d"], [hours % 24, "h"]);
}

type Part = readonly [amount: number, unit: string];

function said([large, unit]: Part, [small, smallUnit]: Part): string {
	return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
}

/** How long ago, for tables: one unit is enough. */
export function age(ms: number): string {
	if (ms < 1_000) return "now";
	return duration(ms)
		.replace(/^(\S+ \S+) .*$/, "$1")
		.replace(/^(\d+)\.\d+/, "$1");
}

/** Wall time of this machine: `14:03:07.120`. */
export function clockTime(at: number): string {
	const date = new Date(at);
	const pad = (value: number, size = 2): string => String(value).padStart(size, "0");
	const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part)).join(":");
	return `${time}.${pad(date.getMilliseconds(), 3)}`;
}

/** `2026-03-14 14:03` */
export function dateTime(at: number): string {
	const date = new Date(at);
	const pad = (value: number): string => String(value).padStart(2, "0");
	return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clockTime(at).slice(0, 5)}`;
}

/** `812 B`, `6.1 KB`, `1.4 MB`. */
export function byteSize(bytes: number): string {
	if (bytes < 1_000) return `${bytes} B`;
	if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} KB`;
	return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
