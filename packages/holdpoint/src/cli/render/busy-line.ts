import type { Terminal } from "../terminal.ts";
import { duration } from "./duration.ts";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;

/** The line at the bottom while something goes on: what that is, and for how long. */
export function busyLine(terminal: Pick<Terminal, "status">, doing: () => string): { restart(): void; close(): void } {
	let since = Date.now();
	let frame = 0;
	const tick = (): void => {
		terminal.status(`${frames[frame++ % frames.length]} ${doing()}  ${duration(Date.now() - since)}`);
	};
	const timer = setInterval(tick, frameMs);
	timer.unref();
	return {
		restart: () => {
			since = Date.now();
		},
		close: () => {
			clearInterval(timer);
			terminal.status("");
		},
	};
}
