import { HoldpointError } from "../spec/errors.ts";
import type { Generation } from "../spec/trace.ts";

const generations: readonly Generation[] = ["v1.41", "latest"];

/** What nothing in a type holds to it. Errors: `config.invalid`. */
export function checkTracing(tracing: unknown): void {
	const { exporters, content, generation } = (tracing ?? {}) as { readonly [name: string]: unknown };
	if (!Array.isArray(exporters)) throw invalid("has no list of exporters");
	const isWrong = exporters.some((one: { ended?: unknown; close?: unknown } | null | undefined) => {
		return typeof one?.ended !== "function" || typeof one.close !== "function";
	});
	if (isWrong) throw invalid("has an exporter without `ended` and `close`");
	if (content !== undefined && typeof content !== "boolean")
		throw invalid("has a `content` that is neither true nor false");
	if (generation !== undefined && !generations.includes(generation as Generation))
		throw invalid(`has a \`generation\` that is none of ${generations.join(", ")}`);
}

function invalid(what: string): HoldpointError {
	return new HoldpointError("config.invalid", `The option \`tracing\` ${what}`, {
		hint: "Such as `tracing: { exporters: [sqliteTraces(path)], content: false }`.",
	});
}
