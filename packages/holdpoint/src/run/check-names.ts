import { HoldpointError } from "../spec/errors.ts";

/** Errors: `run.input_invalid`. */
export function checkInput(input: unknown, bytesMax: number): void {
	if (typeof input !== "string" || input.trim() === "")
		throw new HoldpointError("run.input_invalid", "The input is empty");
	if (Buffer.byteLength(input) >= bytesMax) {
		throw new HoldpointError(
			"run.input_invalid",
			`The input has ${Buffer.byteLength(input)} bytes; the limit is ${bytesMax} (inputBytesMax)`,
		);
	}
}

/** Errors: `run.input_invalid`. */
export function checkSessionId(id: unknown): void {
	if (typeof id === "string" && /^\P{Cc}{1,200}$/u.test(id) && id.isWellFormed()) return;
	const shown = JSON.stringify(String(id).slice(0, 80));
	throw new HoldpointError(
		"run.input_invalid",
		`${shown} is no session id: 1 to 200 characters, none of them a control`,
	);
}

/** Errors: `run.input_invalid`. */
export function checkRunId(run: string): void {
	if (/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/.test(run)) return;
	throw new HoldpointError(
		"run.input_invalid",
		`"${run.slice(0, 80)}" is no run id: letters, digits and _ . : - up to 128`,
	);
}
