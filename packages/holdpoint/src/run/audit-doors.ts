import type { Auditor, EventOf, ShownEvent } from "../audit/auditor.ts";
import type { AuditProof } from "../audit/verifier/verify-proof.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { defaultLimits } from "../spec/limits.ts";
import { eraseRun } from "./erase-run.ts";
import { eventsOf, openRun } from "./open-run.ts";
import { Redactor } from "./redactor.ts";
import type { RunPorts } from "./run-ports.ts";

/** An event of the log: its leaf's index, or its place in its run, from 1. */
export type AuditedEvent = number | { readonly run: string; readonly event: number };

/** `harness.audit`: the log of everything that was decided and done, for people outside. */
export interface HarnessAudit {
	/** The public key, which whoever verifies needs. Errors: `audit.off`, `key.invalid`. */
	key(): Promise<string>;
	/** Signs what the log has now, and returns the note: to be kept where nobody who can write to the store can write. */
	checkpoint(): Promise<string>;
	/** The log as lines, without their ends. `payloads`: with what was asked, said and returned; by default facts alone. */
	export(options?: { readonly payloads?: boolean }): AsyncIterable<string>;
	/** What proves one event to somebody who has the public key. Errors: `audit.unknown`. */
	prove(event: AuditedEvent, options?: { readonly payloads?: boolean }): Promise<AuditProof>;
	/** Drops a finished run's journal, values and salts for good; its leaves stay. Errors: `run.open`, `run.busy`, … */
	erase(what: { readonly run: string; readonly by?: string }): Promise<void>;
}

export function auditDoors(openPorts: () => Promise<RunPorts>, principal: () => string): HarnessAudit {
	const opened = async (): Promise<{ readonly ports: RunPorts; readonly audit: Auditor }> => {
		const ports = await openPorts();
		if (ports.audit) return { ports, audit: ports.audit };
		throw new HoldpointError("audit.off", "This harness keeps no audit log");
	};
	return {
		key: async () => (await opened()).audit.key,
		checkpoint: async () => (await opened()).audit.checkpoint(),
		async *export({ payloads = false } = {}) {
			const { ports, audit } = await opened();
			yield* audit.exportLines(payloads ? eventsIn(ports) : undefined);
		},
		async prove(event, { payloads = false } = {}) {
			const { ports, audit } = await opened();
			const index = typeof event === "number" ? event : await audit.indexOf(event.run, event.event);
			return audit.prove(index, payloads ? eventsIn(ports) : undefined);
		},
		async erase({ run, by = principal() }) {
			await eraseRun(await openPorts(), run, { by, leaseMs: defaultLimits.leaseMs });
		},
	};
}

/** Runs whose leaves lie among one another are few at a time. */
const journalsMax = 32;

/** Payloads are in the journals, each of which is verified before it is believed. */
function eventsIn(ports: RunPorts): EventOf {
	const journals = new Map<string, Promise<readonly ShownEvent[]>>();
	return async (run, n) => {
		const journal = journals.get(run) ?? shownEvents(ports, run);
		journals.delete(run);
		journals.set(run, journal);
		if (journals.size > journalsMax) journals.delete(journals.keys().next().value as string);
		return (await journal)[n - 1];
	};
}

async function shownEvents(ports: RunPorts, run: string): Promise<readonly ShownEvent[]> {
	const stored = await ports.store.load(run);
	try {
		if (!stored) return [];
		const opened = await openRun(ports, stored);
		const redactor = Redactor.ofRun(opened, "all");
		return eventsOf(opened).map((event) => ({ event, shown: redactor.event(event) }));
	} catch (error) {
		if (isHoldpointError(error) && error.code === "run.erased") return [];
		throw error;
	}
}
