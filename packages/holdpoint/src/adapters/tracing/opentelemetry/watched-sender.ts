/** What leaves for a collector: nothing of runs that were erased; and what the collector says against it is said once. */
import { runAttribute, type Span } from "../../../spec/trace.ts";

/** An exporter of OpenTelemetry's SDK. */
interface Sender<Items> {
	export(items: Items, done: (result: { readonly code: number; readonly error?: Error }) => void): void;
}

/** `kept`: of what is to be sent; undefined: nothing of it. `what`: for people. */
export function watch<Items>(
	sender: Sender<Items>,
	what: string,
	kept: (items: Items) => Items | undefined = (items) => items,
): void {
	const send = sender.export.bind(sender);
	let isSaid = false;
	sender.export = (items, done) => {
		const left = kept(items);
		if (left === undefined) return done({ code: 0 });
		send(left, (result) => {
			if (result.code !== 0 && !isSaid) {
				isSaid = true;
				process.emitWarning(`${what} were not taken by the collector: ${answerOf(result.error)}. It is said once.`);
			}
			done(result);
		});
	};
}

/** The status and its name, or what became of the connection: no body, which may repeat what was sent. */
function answerOf(error: Error | undefined): string {
	const { code, message = "no reason" } = (error ?? {}) as { code?: unknown; message?: string };
	const about = message.split("\n")[0]?.slice(0, 200) ?? "";
	return typeof code === "number" || typeof code === "string" ? `${code} ${about}` : about;
}

/** Spans wait for a second or so before they are sent, and a trace is long over by then. */
const tracesMax = 20_000;

/** Whose traces there were, and which of them are not to be sent any more. */
export class SentTraces {
	private readonly runs = new Map<string, string>();
	private readonly forgotten = new Set<string>();

	began({ traceId, parentSpanId, attributes }: Span): void {
		if (parentSpanId !== undefined) return;
		this.runs.set(traceId, String(attributes[runAttribute]));
		if (this.runs.size <= tracesMax) return;
		const [oldest = ""] = this.runs.keys();
		this.runs.delete(oldest);
		this.forgotten.delete(oldest);
	}

	forget(run: string): void {
		for (const [traceId, of] of this.runs) if (of === run) this.forgotten.add(traceId);
	}

	/** Those that may be sent; undefined: none of them. */
	readonly kept = <Sent extends { spanContext(): { readonly traceId: string } }>(spans: Sent[]): Sent[] | undefined => {
		if (this.forgotten.size === 0) return spans;
		const left = spans.filter((span) => !this.forgotten.has(span.spanContext().traceId));
		return left.length > 0 ? left : undefined;
	};
}
